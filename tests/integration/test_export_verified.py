"""An export that is verified in another ONNX Runtime, installed by pip in an environment of its own."""

import json
from pathlib import Path

import pytest
from artefacts.runs import make_run, make_schema

from polyrank.__main__ import main
from polyrank.errors import ExportError, ParityError
from polyrank.export import ExportOptions, export_onnx
from polyrank.export.environments import MARKER, python_with, run_python
from polyrank.export.parity import Expectation, expectations
from polyrank.export.verification import verify_with

VERSION = "1.24.4"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("verified") / "run"
    make_run(run, make_schema())
    return run


@pytest.mark.slow
def test_evidence_holds_the_other_version(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", str(run), "--out", str(tmp_path / "bundle"), "--triton", "26.06", "--verify-with", VERSION]
    assert main(arguments) == 0
    assert capsys.readouterr().out.endswith(f", for Triton 26.06, verified with ONNX Runtime {VERSION}\n")
    evidence = json.loads((tmp_path / "bundle" / "parity.json").read_text())
    (other,) = evidence["verified"]
    assert other["onnxruntime"] == VERSION
    assert len(other["differences"]) == len(evidence["differences"])
    assert max(entry["difference"] for entry in other["differences"]) <= 1e-5


def test_difference_in_the_other_version_is_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(version: str, model: Path, expected: list[Expectation], *, tolerance: float) -> object:
        for entry in expected:
            entry.answers["like"][:] += 0.5
        return verify_with(version, model, expected, tolerance=tolerance)

    monkeypatch.setattr("polyrank.export.proving.verify_with", moved)
    with pytest.raises(
        ParityError,
        match=rf"^export refused: task 'like' differs from PyTorch by \d\.\de-01 at batch \d+ of \w+ rows in ONNX "
        rf"Runtime {VERSION} \(limit 1e-05\)",
    ):
        export_onnx(run, out=tmp_path / "bundle", options=ExportOptions(verified_with=VERSION))
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.failed"]


def test_version_that_pip_has_not_is_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "cache"))
    assert main(["--quiet", "export", str(run), "--out", str(tmp_path / "bundle"), "--verify-with", "0.99"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "polyrank: ONNX Runtime 0.99 cannot be installed: pip failed: No matching distribution found for onnxr"
    )
    assert error.count("\n") == 1
    assert not list((tmp_path / "cache").rglob(MARKER))
    assert not (tmp_path / "bundle").exists()


def test_model_that_does_not_load_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ExportError, match=r"^the model does not answer there: [^\n]*model\.onnx[^\n]*$"):
        run_python(
            python_with(VERSION),
            "-c",
            f"import onnxruntime; onnxruntime.InferenceSession({str(tmp_path / 'model.onnx')!r})",
        )


def test_answers_are_those_of_this_process(run: Path, tmp_path: Path) -> None:
    from polyrank.export.answers import open_session
    from polyrank.export.parity import parity_of
    from polyrank.models import TrainedRanker

    bundle = export_onnx(run, out=tmp_path / "bundle")
    expected = expectations(TrainedRanker.load(run))
    here = parity_of(expected, open_session(bundle.model_file))
    there = verify_with(VERSION, bundle.model_file, expected, tolerance=1e-5)
    assert [entry.task for entry in there.differences] == [entry.task for entry in here.differences]
    assert max(entry.absolute for entry in there.differences) == pytest.approx(
        max(entry.absolute for entry in here.differences), abs=1e-4
    )
