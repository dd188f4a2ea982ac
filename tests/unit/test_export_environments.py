from pathlib import Path

import pytest

from polyrank.errors import ExportError
from polyrank.export.environments import python_with, specs_of


@pytest.mark.parametrize("version", ["", "1", "latest", "1.24.4.1", "v1.24", "1.24; rm -rf /", "../1.24"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(
        ExportError, match=r"^verified_with must be a version of ONNX Runtime such as 1\.24 or 1\.24\.4, got '"
    ):
        python_with(version)


@pytest.mark.parametrize(
    ("version", "specs"),
    [
        ("1.24", ("onnxruntime==1.24.*", "numpy")),
        ("1.24.4", ("onnxruntime==1.24.4", "numpy")),
        ("1.18.1", ("onnxruntime==1.18.1", "numpy<2")),
    ],
)
def test_pip_is_asked_for_the_version_and_a_numpy_it_loads_beside(version: str, specs: tuple[str, ...]) -> None:
    assert specs_of(version) == specs


def test_finished_environment_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("polyrank.export.environments.sys.version_info", type("V", (), {"major": 3, "minor": 99}))
    (tmp_path / "onnxruntime" / "1.24-py399").mkdir(parents=True)
    (tmp_path / "onnxruntime" / "1.24-py399" / ".complete").touch()
    assert python_with("1.24") == tmp_path / "onnxruntime" / "1.24-py399" / "bin" / "python"
