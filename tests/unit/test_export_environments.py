import subprocess
from pathlib import Path
from typing import Any

import pytest

from polyrank.errors import ExportError
from polyrank.export.environments import python_with, run_python, specs_of


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


def test_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "file"))
    message = (
        r"^cannot make an environment for ONNX Runtime 1\.24 in .*/file/.*: (not a directory|file exists); set "
        r"POLYRANK_CACHE_DIR to a folder with room$"
    )
    with pytest.raises(ExportError, match=message):
        python_with("1.24")


def test_pip_inherits_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inherited: list[str] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if "venv" in command:
            Path(command[-1]).mkdir()
        inherited.extend(str(Path(f"/proc/self/fd/{lock}").readlink()) for lock in options["pass_fds"])
        return subprocess.CompletedProcess([], 0, "")

    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("polyrank.virtual_environments.subprocess.run", run)
    environment = python_with("1.24").parent.parent
    assert inherited == [str(environment.with_name(f"{environment.name}.lock"))] * 2


def test_interpreter_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match=rf"^{tmp_path}/python cannot be run: no such file or directory; remove its env"
    ):
        run_python(tmp_path / "python", "-c", "pass")


def test_finished_environment_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("polyrank.export.environments.sys.version_info", type("V", (), {"major": 3, "minor": 99}))
    (tmp_path / "onnxruntime" / "1.24-py399").mkdir(parents=True)
    (tmp_path / "onnxruntime" / "1.24-py399" / ".complete").touch()
    assert python_with("1.24") == tmp_path / "onnxruntime" / "1.24-py399" / "bin" / "python"
