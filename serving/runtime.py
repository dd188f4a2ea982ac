"""The embedded server's private environment: pinned packages that never touch the user's own.

Triton's Python backend gives empty outputs with numpy 2, without an error, so it gets a numpy of its own.
"""

import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from polyrank.decoding import decode_json
from polyrank.errors import ServerRuntimeError
from polyrank.reasons import system_reason
from polyrank.virtual_environments import locked

from .installer import MARKER, build
from .libpython import VERSION, libpython_folder
from .locations import server_folder

Accelerator = Literal["cpu", "gpu"]

# Polyrank's encoder, which the workers have a copy of, needs msgspec, and pyarrow for what is rare.
_BASE = {"numpy": "1.26.4", "nvidia-pytriton": "0.7.0", "msgspec": "0.22.0", "pyarrow": "22.0.0"}
PINS: dict[Accelerator, dict[str, str]] = {
    "cpu": _BASE | {"onnxruntime": "1.32.0"},
    "gpu": _BASE | {"onnxruntime-gpu": "1.31.1"},
}
_PYTHONS = ("3.11", "3.12")
"""Those that there are packages of numpy 1 for."""
# Imports what the workers import, then tells which versions are really there.
_PROBE = """
import importlib.metadata, json, sys
import msgspec, numpy, onnxruntime
json.dump({name: importlib.metadata.version(name) for name in sys.argv[1:]}, sys.stdout)
"""


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """A complete runtime environment.

    Attributes:
        path: Folder of the virtual environment.
        libpython: Folder that holds the running Python's shared library.
        versions: Exact version of each package in it.
    """

    path: Path
    libpython: Path
    versions: dict[str, str]

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.path / "bin" / "python"

    @property
    def tritonserver(self) -> Path:
        """The server's binary."""
        return _triton(self.path) / "bin" / "tritonserver"

    @property
    def python_backend(self) -> tuple[Path, ...]:
        """The files that make Triton's Python backend: library, Python module, worker for this Python."""
        return _python_backend(self.path)

    @property
    def libraries(self) -> tuple[Path, ...]:
        """Folders for the dynamic linker."""
        return (_packages(self.path) / "nvidia_pytriton.libs", self.libpython)


def runtime_folder(accelerator: Accelerator = "cpu") -> Path:
    """Return where the environment for this Python and these pins lives, made or not.

    Raises:
        ServerRuntimeError: The cache folder's path is unusable, or the server does not run on this Python.
    """
    if VERSION not in _PYTHONS:
        raise ServerRuntimeError(
            f"the embedded server runs on Python {' or '.join(_PYTHONS)}, got {VERSION}; start it from an environment "
            "of one of those, or print the command of the official container: polyrank serve REPOSITORY --print-docker"
        )
    text = json.dumps(PINS[accelerator], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return server_folder() / "runtimes" / f"py{VERSION}-{accelerator}-{key}"


def ensure_runtime(*, accelerator: Accelerator = "cpu", libpython_search: Sequence[Path] | None = None) -> Runtime:
    """Return the environment, making it first when it is absent or half made (about 13 s, 480 MB).

    Args:
        accelerator: Which ONNX Runtime package it holds.
        libpython_search: Folders to look in for libpython; None takes Python's and the linker's.

    Raises:
        ServerRuntimeError: It is broken or outdated, it cannot be installed, or libpython is missing.
    """
    libpython = libpython_folder(libpython_search)
    path = runtime_folder(accelerator)
    if not (path / MARKER).exists():
        _make(path, accelerator, (path / MARKER).exists)
    return _checked(path, accelerator, libpython)


def check_runtime(*, accelerator: Accelerator = "cpu", libpython_search: Sequence[Path] | None = None) -> Runtime:
    """Return the environment if it is complete; never change it.

    Raises:
        ServerRuntimeError: It is absent, broken or outdated, or libpython is missing.
    """
    libpython = libpython_folder(libpython_search)
    path = runtime_folder(accelerator)
    if not (path / MARKER).exists():
        raise _unusable(path, accelerator, "not installed")
    return _checked(path, accelerator, libpython)


def install_runtime(
    *, force: bool = False, accelerator: Accelerator = "cpu", libpython_search: Sequence[Path] | None = None
) -> Runtime:
    """Make the environment, or make it anew when it is broken or outdated.

    Args:
        force: Make it anew even when it is complete.
        accelerator: Which ONNX Runtime package it holds.
        libpython_search: Folders to look in for libpython; None takes Python's and the linker's.

    Raises:
        ServerRuntimeError: It cannot be installed, or libpython is missing.
    """
    libpython = libpython_folder(libpython_search)
    path = runtime_folder(accelerator)
    if force or not _is_complete(path, accelerator, libpython):
        _make(path, accelerator, lambda: not force and _is_complete(path, accelerator, libpython))
    return _checked(path, accelerator, libpython)


def _make(path: Path, accelerator: Accelerator, is_made: Callable[[], bool]) -> None:
    try:
        with locked(path.with_name(f"{path.name}.lock")) as lock:
            if not is_made():  # by another process while this one waited; a server may run from it by now
                build(path, PINS[accelerator], lock=lock)
    except OSError as err:
        raise ServerRuntimeError(
            f"server runtime {path} cannot be written: {system_reason(err)}; make room or set POLYRANK_CACHE_DIR"
        ) from err


def _is_complete(path: Path, accelerator: Accelerator, libpython: Path) -> bool:
    try:
        _checked(path, accelerator, libpython)
    except ServerRuntimeError:  # what is wrong with it is cured by making it anew
        return False
    return True


def _checked(path: Path, accelerator: Accelerator, libpython: Path) -> Runtime:
    try:
        _check(path, PINS[accelerator])
    except _UnusableError as err:
        raise _unusable(path, accelerator, str(err)) from err
    return Runtime(path=path, libpython=libpython, versions=dict(PINS[accelerator]))


class _UnusableError(Exception):
    """What is wrong with an environment. Never leaves this module."""


def _check(path: Path, pins: Mapping[str, str]) -> None:
    _check_versions(_marked_versions(path), pins)
    for file in (_triton(path) / "bin" / "tritonserver", *_python_backend(path)):
        if not file.is_file():
            raise _UnusableError(f"broken: {file.name} is missing")
    _check_versions(_installed_versions(path, pins), pins)


def _marked_versions(path: Path) -> dict[str, str]:
    try:
        return decode_json((path / MARKER).read_bytes(), dict[str, str])
    except (OSError, msgspec.DecodeError) as err:
        raise _UnusableError(f"broken: {MARKER} is unreadable") from err


def _installed_versions(path: Path, pins: Mapping[str, str]) -> dict[str, str]:
    command = [str(path / "bin" / "python"), "-I", "-c", _PROBE, *pins]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own environment
    except OSError as err:
        raise _UnusableError(f"broken: bin/python does not run ({system_reason(err)})") from err
    if done.returncode != 0:
        raise _UnusableError(f"broken: {(done.stderr.strip().splitlines() or ['bin/python fails'])[-1]}")
    return msgspec.json.decode(done.stdout, type=dict[str, str])


def _check_versions(found: Mapping[str, str], pins: Mapping[str, str]) -> None:
    for name, version in pins.items():
        if found.get(name) != version:
            raise _UnusableError(f"outdated: {name} is {found.get(name, 'absent')}, {version} is needed")


def _unusable(path: Path, accelerator: Accelerator, what: str) -> ServerRuntimeError:
    option = "" if accelerator == "cpu" else f" --accelerator {accelerator}"
    return ServerRuntimeError(f"server runtime {path} is {what}; run `polyrank server install{option}`")


def _packages(path: Path) -> Path:
    return path / "lib" / f"python{VERSION}" / "site-packages"


def _triton(path: Path) -> Path:
    return _packages(path) / "pytriton" / "tritonserver"


def _python_backend(path: Path) -> tuple[Path, ...]:
    triton = _triton(path)
    return (
        triton / "backends" / "python" / "libtriton_python.so",
        triton / "backends" / "python" / "triton_python_backend_utils.py",
        triton / "python_backend_stubs" / VERSION / "triton_python_backend_stub",
    )
