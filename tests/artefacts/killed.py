"""Runs exports and publishes that kill themselves with SIGKILL at a chosen step.

Run as a process, which `killed_work` starts. Beside changes of the folder, each line around the call that exchanges two
names is a step.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

import onnx
from artefacts.killed_steps import Countdown, answer_jobs, forking

from polyrank.errors import PolyrankError
from polyrank.export import ExportOptions, export_onnx, exporting, publish, rollback
from polyrank.export.answers import Answers
from polyrank.export.graphs import Graph

TRACED = "/export/exchange.py"
"""Each line is a step: no event tells of renameat2."""


class Job(TypedDict):
    """Work on `source` and `place`, killed at `step`; 0 lets it end and counts its steps."""

    verb: str
    source: str
    place: str
    step: int


@contextlib.contextmanager
def killed_work(exported: Path) -> Iterator[Callable[[Job], int]]:
    """Start the process, until the block ends.

    Args:
        exported: a bundle, whose graph exports take in place of one of their own.

    Yields:
        What does one job, and returns the steps it took, `KILLED` when it was killed.
    """
    with forking(__file__, str(exported)) as work:
        yield work


def run_jobs(jobs: Sequence[Job], *, exported: Path) -> list[int]:
    """Run jobs one after another in a process of their own; return for each the steps it took, or `KILLED`."""
    with killed_work(exported) as work:
        return [work(job) for job in jobs]


def _trace_into(countdown: Countdown) -> None:
    """Count lines of what exchanges two names."""

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            countdown.step()
        return trace

    sys.settrace(trace)


class _RefusingServer:
    """Stands for a server that cannot load what it is told to: only the steps of taking back are of interest."""

    url = "nowhere"

    def serves(self, model: str, version: int) -> bool:
        return version < 0 and model == ""

    def load(self, model: str) -> None:
        raise PolyrankError(f"{model} does not load")

    def unload(self, model: str) -> None:
        raise PolyrankError(f"{model} does not unload")

    def answer(self, model: str, version: int, inputs: object) -> Answers:
        raise PolyrankError(f"{model} version {version} does not answer {inputs!r}")


def _take_back(job: Job) -> None:
    with contextlib.suppress(PolyrankError):
        publish(job["source"], job["place"], server=_RefusingServer())


REPOSITORY_VERBS: dict[str, Callable[[Job], object]] = {
    "publish": lambda job: publish(job["source"], job["place"]),
    "publish and keep": lambda job: publish(job["source"], job["place"], keep=1),
    "rollback": lambda job: rollback(job["place"], name="toy"),
    "take back": _take_back,
}


def _work(job: Job, graph: onnx.ModelProto) -> int:
    countdown = Countdown(job["step"], Path(job["place"]).parent)
    if job["verb"] in REPOSITORY_VERBS:
        work = REPOSITORY_VERBS[job["verb"]]
    else:
        # What takes long and touches no file of the bundle is not done anew for each step.
        setattr(exporting, "build_graph", lambda *_: Graph(graph))  # noqa: B010 (the module exports no such name)
        work = _export
    countdown.start()
    _trace_into(countdown)
    work(job)
    sys.settrace(None)
    return countdown.count


def _export(job: Job) -> None:
    export_onnx(job["source"], out=job["place"], options=ExportOptions(requests=None))


if __name__ == "__main__":
    for module in ("google.protobuf.text_format", "onnxruntime", "tritonclient.grpc.model_config_pb2"):
        importlib.import_module(module)  # once, not in each process
    exported_graph = onnx.load(Path(sys.argv[1]) / "model.onnx")
    answer_jobs(lambda job: _work(job, exported_graph))
