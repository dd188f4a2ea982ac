"""Work on repositories that is killed at chosen steps, and what must be true of a repository afterwards."""

import filecmp
import shutil
from collections.abc import Sequence
from pathlib import Path

from artefacts.killed import Job, run_jobs
from artefacts.killed_steps import KILLED
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from polyrank.export import Bundle
from polyrank.export.bundle import check_golden
from polyrank.serving.servable import servable_models
from polyrank.signature import Signature

VERSION_FILES = [
    "MODEL_CARD.md",
    "golden.npz",
    "model.onnx",
    "parity.json",
    "run.json",
    "signature.json",
    "version.json",
]


def make_jobs(verb: str, source: Path, places: Path, steps: Sequence[int], *, before: Path | None = None) -> list[Job]:
    """Give each step a place of its own, which begins as a copy of `before`."""
    jobs = [Job(verb=verb, source=str(source), place=str(places / str(step) / "place"), step=step) for step in steps]
    for job in jobs:
        Path(job["place"]).parent.mkdir()
        if before is not None:
            shutil.copytree(before, job["place"])
    return jobs


def count_steps(verb: str, source: Path, places: Path, *, exported: Path, before: Path | None = None) -> int:
    (steps,) = run_jobs(make_jobs(verb, source, places, [0], before=before), exported=exported)
    assert steps > 5
    return steps


def kill(jobs: Sequence[Job], *, exported: Path) -> None:
    """Kill each job at its step; one that took fewer steps this time, as in another order of files, may end before."""
    ends = zip(jobs, run_jobs(jobs, exported=exported), strict=True)
    assert [end for job, end in ends if not KILLED <= end < job["step"]] == []


def versions(repository: Path) -> list[str]:
    """Return the versions of the model of rows, with those of all models checked to be whole; none without a model."""
    if not repository.is_dir() or list(repository.iterdir()) == []:
        return []
    # Nothing that is not servable may stand there under a name that a server would look at.
    models = servable_models(repository)
    assert sorted(path.name for path in repository.iterdir()) == list(models)
    return {name: model_versions(repository / name) for name in models}["toy"]


def model_versions(model: Path) -> list[str]:
    config = text_format.Parse((model / "config.pbtxt").read_text(), pb.ModelConfig())
    assert config.name == model.name
    assert {path.name for path in model.iterdir() if path.is_file()} == {"config.pbtxt", ".highest_version"}
    found = sorted(path.name for path in model.iterdir() if path.is_dir())
    for version in found:
        assert sorted(path.name for path in (model / version).iterdir()) == VERSION_FILES
    return found


def assert_whole(repository: Path, *bundles: Bundle) -> None:
    """Check that every version has the files of one of these bundles, and answers its golden rows."""
    sources = {bundle.signature.run_id: bundle for bundle in bundles}
    for model in repository.glob("*/*/model.onnx"):
        bundle = sources[Signature.load(model.parent).run_id]
        source = {"toy": bundle, "toy_rank": bundle.requests}[model.parts[-3]]
        assert source is not None
        names = [name for name in VERSION_FILES if name != "version.json"]
        assert filecmp.cmpfiles(source.path, model.parent, names, shallow=False) == (names, [], [])
        check_golden(source, model)
    versions(repository)


def assert_no_leftovers(folder: Path) -> None:
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
