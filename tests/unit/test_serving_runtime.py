import contextlib
import json
import logging
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polyrank.commands import server as server_command
from polyrank.errors import ServerRuntimeError
from polyrank.serving.installer import MARKER, build
from polyrank.serving.libpython import LIBRARY, VERSION, libpython_folder
from polyrank.serving.locations import server_folder
from polyrank.serving.runtime import PINS, check_runtime, ensure_runtime, install_runtime, runtime_folder

TRITON = f"lib/python{VERSION}/site-packages/pytriton/tritonserver"
FILES = (
    f"{TRITON}/bin/tritonserver",
    f"{TRITON}/backends/python/libtriton_python.so",
    f"{TRITON}/backends/python/triton_python_backend_utils.py",
    f"{TRITON}/python_backend_stubs/{VERSION}/triton_python_backend_stub",
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def libpython(tmp_path: Path) -> list[Path]:
    (tmp_path / LIBRARY).touch()
    return [tmp_path]


@pytest.fixture
def runtime(cache: Path) -> Path:
    """A complete environment to look at, whose interpreter only answers the probe."""
    assert cache == server_folder()
    path = runtime_folder()
    for file in FILES:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).touch()
    (path / MARKER).write_text(json.dumps(PINS["cpu"]))
    write_python(path, f"echo '{json.dumps(PINS['cpu'])}'")
    return path


def write_python(runtime: Path, script: str) -> None:
    python = runtime / "bin" / "python"
    python.parent.mkdir(exist_ok=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


@pytest.mark.parametrize("act", [check_runtime, ensure_runtime, install_runtime])
def test_python_that_the_server_does_not_run_on_is_told(
    cache: Path, libpython: list[Path], monkeypatch: pytest.MonkeyPatch, act: Callable[..., object]
) -> None:
    monkeypatch.setattr("polyrank.serving.runtime.VERSION", "3.13")
    message = r"^the embedded server runs on Python 3\.11 or 3\.12, got 3\.13; .* or print the command of the official "
    with pytest.raises(ServerRuntimeError, match=message):
        act(libpython_search=libpython)
    assert not cache.exists()


def test_complete_runtime_is_taken_as_it_is(runtime: Path, libpython: list[Path]) -> None:
    found = ensure_runtime(libpython_search=libpython)
    assert found.path == runtime
    assert found.libpython == libpython[0]
    assert found.versions == PINS["cpu"]


def test_install_leaves_a_complete_runtime_alone(runtime: Path, libpython: list[Path]) -> None:
    before = (runtime / MARKER).stat().st_mtime_ns
    install_runtime(libpython_search=libpython)
    assert (runtime / MARKER).stat().st_mtime_ns == before


@pytest.mark.parametrize("file", FILES)
def test_missing_file_is_named_with_the_remedy(runtime: Path, libpython: list[Path], file: str) -> None:
    (runtime / file).unlink()
    expected = f"{runtime} is broken: {Path(file).name} is missing; run `polyrank server install`$"
    with pytest.raises(ServerRuntimeError, match=expected):
        ensure_runtime(libpython_search=libpython)


def test_failing_import_is_told_in_one_line(runtime: Path, libpython: list[Path]) -> None:
    write_python(runtime, "echo 'Traceback' >&2; echo \"ModuleNotFoundError: No module named 'numpy'\" >&2; exit 1")
    with pytest.raises(ServerRuntimeError, match=r"is broken: ModuleNotFoundError: No module named 'numpy'; run"):
        ensure_runtime(libpython_search=libpython)


def test_interpreter_that_does_not_run_is_broken(runtime: Path, libpython: list[Path]) -> None:
    (runtime / "bin" / "python").unlink()
    with pytest.raises(ServerRuntimeError, match=r"is broken: bin/python does not run \(no such file"):
        ensure_runtime(libpython_search=libpython)


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_unreadable_marker_is_broken(runtime: Path, libpython: list[Path], text: str) -> None:
    (runtime / MARKER).write_text(text)
    with pytest.raises(ServerRuntimeError, match=f"is broken: {MARKER} is unreadable; run `polyrank server install`"):
        ensure_runtime(libpython_search=libpython)


def test_older_version_in_the_marker_is_outdated(runtime: Path, libpython: list[Path]) -> None:
    (runtime / MARKER).write_text(json.dumps(PINS["cpu"] | {"onnxruntime": "1.20.0"}))
    with pytest.raises(ServerRuntimeError, match=r"is outdated: onnxruntime is 1\.20\.0, 1\.32\.0 is needed; run"):
        ensure_runtime(libpython_search=libpython)


def test_other_version_really_installed_is_outdated(runtime: Path, libpython: list[Path]) -> None:
    write_python(runtime, f"echo '{json.dumps(PINS['cpu'] | {'numpy': '2.4.0'})}'")
    with pytest.raises(ServerRuntimeError, match=r"is outdated: numpy is 2\.4\.0, 1\.26\.4 is needed; run"):
        ensure_runtime(libpython_search=libpython)


def test_check_says_that_nothing_is_installed(cache: Path, libpython: list[Path]) -> None:
    with pytest.raises(ServerRuntimeError, match=f"{cache}.* is not installed; run `polyrank server install`"):
        check_runtime(libpython_search=libpython)


def test_environment_for_gpus_is_installed_with_its_option(cache: Path, libpython: list[Path]) -> None:
    with pytest.raises(ServerRuntimeError, match=f"{cache}.*; run `polyrank server install --accelerator gpu`$"):
        check_runtime(accelerator="gpu", libpython_search=libpython)
    runtime_folder("gpu").mkdir(parents=True)
    (runtime_folder("gpu") / MARKER).touch()
    with pytest.raises(ServerRuntimeError, match=r"unreadable; run `polyrank server install --accelerator gpu`$"):
        ensure_runtime(accelerator="gpu", libpython_search=libpython)


def test_runtime_that_another_process_just_made_is_taken(
    runtime: Path, libpython: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (runtime / MARKER).unlink()

    @contextlib.contextmanager
    def waited(_path: Path) -> Iterator[int]:
        (runtime / MARKER).write_text(json.dumps(PINS["cpu"]))
        yield 0

    monkeypatch.setattr("polyrank.serving.runtime.locked", waited)
    monkeypatch.setattr("polyrank.serving.runtime.build", lambda *_: pytest.fail("it is built again"))
    assert install_runtime(libpython_search=libpython).path == runtime


@pytest.mark.parametrize("act", [ensure_runtime, check_runtime, install_runtime])
@pytest.mark.usefixtures("runtime")
def test_missing_libpython_names_folders_and_package(act: Callable[..., object], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    expected = rf"{LIBRARY} is missing \(looked in {empty}\); .*`apt-get install libpython{VERSION}`"
    with pytest.raises(ServerRuntimeError, match=expected):
        act(libpython_search=[empty])


def test_libpython_of_this_python_is_found() -> None:
    assert (libpython_folder() / LIBRARY).is_file()


def test_server_folder_prefers_own_then_user_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYRANK_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert server_folder() == Path("/x/polyrank")
    monkeypatch.setenv("POLYRANK_CACHE_DIR", "/own")
    assert server_folder() == Path("/own")


def test_server_folder_that_a_shell_would_split_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", "/my cache")
    with pytest.raises(
        ServerRuntimeError, match=r"cache folder '/my cache' holds a character .* set POLYRANK_CACHE_DIR"
    ):
        server_folder()


def test_unwritable_cache_is_told_with_its_path(
    tmp_path: Path, libpython: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(
        ServerRuntimeError, match=r"cannot be written: not a directory; make room or set POLYRANK_CACHE"
    ):
        ensure_runtime(libpython_search=libpython)


def test_failing_pip_gives_its_last_line(
    cache: Path, libpython: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with (
        caplog.at_level(logging.INFO, "polyrank"),
        pytest.raises(ServerRuntimeError, match=r"pip failed: No matching distribution found for numpy==1\.26\.4$"),
    ):
        ensure_runtime(libpython_search=libpython)
    assert "installing numpy==1.26.4" in caplog.text
    assert not list(cache.glob(f"runtimes/*/{MARKER}"))


def test_failing_venv_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerRuntimeError, match=r"could not be installed: venv failed: exit status 1$"):
        build(tmp_path / "runtime", PINS["cpu"], lock=0, python="/bin/false")


@pytest.mark.usefixtures("runtime")
def test_command_check_prints_path_and_versions(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    server_command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["server", "check"])
    assert args.run(args) == 0
    assert (
        "is complete: numpy 1.26.4, nvidia-pytriton 0.7.0, msgspec 0.22.0, pyarrow 22.0.0, onnxruntime 1.32.0"
        in capsys.readouterr().out
    )


@pytest.mark.usefixtures("runtime")
def test_command_install_leaves_a_complete_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    server_command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["server", "install"])
    assert args.run(args) == 0
    assert "is complete" in capsys.readouterr().out
