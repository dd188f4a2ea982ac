"""Virtual environments with one version of ONNX Runtime each, kept in the user's cache folder."""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyrank.arguments import text
from polyrank.caches import cache_folder
from polyrank.errors import ExportError
from polyrank.reasons import system_reason

MARKER = ".complete"
FIRST_WITH_NUMPY_2 = (1, 19)
"""Earlier wheels were built against numpy 1, and do not load beside numpy 2."""

# Settings that would send packages elsewhere or forbid the version; indexes and certificates stay the user's own.
_UNWANTED = ("PIP_CONSTRAINT", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONPATH", "PYTHONHOME")

_log = logging.getLogger(__name__)


def python_with(version: str) -> Path:
    """Return the interpreter of an environment that has an ONNX Runtime; it is made first when it is absent.

    Args:
        version: `major.minor`, which takes its newest patch, or `major.minor.patch`.

    Raises:
        ConfigError: it is no text.
        ExportError: it is no version, cannot be installed, or the cache folder cannot be written.
    """
    text("verified_with", version)
    if not re.fullmatch(r"[0-9]+\.[0-9]+(\.[0-9]+)?", version):
        raise ExportError(f"verified_with must be a version of ONNX Runtime such as 1.24 or 1.24.4, got {version!r}")
    name = f"{version}-py{sys.version_info.major}{sys.version_info.minor}"
    folder = cache_folder() / "onnxruntime" / name
    try:
        with _locked(folder.with_name(f"{name}.lock")) as lock:
            if not (folder / MARKER).exists():
                _make(folder, version, lock)
    except OSError as err:
        raise ExportError(
            f"cannot make an environment for ONNX Runtime {version} in {folder}: {system_reason(err)}; set "
            f"POLYRANK_CACHE_DIR to a folder with room"
        ) from err
    return folder / "bin" / "python"


def specs_of(version: str) -> tuple[str, ...]:
    """Return what pip is asked for."""
    major, minor, *patch = (int(part) for part in version.split("."))
    exact = version if patch else f"{version}.*"
    numpy = "numpy" if (major, minor) >= FIRST_WITH_NUMPY_2 else "numpy<2"
    return f"onnxruntime=={exact}", numpy


def run_python(python: Path, *arguments: str) -> None:
    """Run an environment's interpreter, apart from this process's settings.

    Raises:
        ExportError: it fails; the message has its last line.
    """
    try:
        _run([str(python), "-I", *arguments], "the model does not answer there")
    except OSError as err:
        raise ExportError(
            f"{python} cannot be run: {system_reason(err)}; remove its environment, and export again"
        ) from err


def _make(folder: Path, version: str, lock: int) -> None:
    specs = specs_of(version)
    _log.info("installing %s in %s", " and ".join(specs), folder)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError as err:
        raise ExportError(f"cannot make an environment for ONNX Runtime {version} in {folder}: {err}") from err
    options = ("-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:")
    try:
        python = str(folder / "bin" / "python")
        _run([python, "-I", *options, *specs], f"ONNX Runtime {version} cannot be installed", lock)
    except ExportError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / MARKER).touch()


def _run(command: Sequence[str], what: str, *locks: int) -> None:
    """Run a command; it inherits `locks`, so that nobody makes anew what an orphaned pip still writes."""
    environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
    done = subprocess.run(  # noqa: S603 - an interpreter of ours, with our own arguments
        command,
        env=environment,
        pass_fds=locks,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise ExportError(f"{what}: {_last_line(done.stdout) or f'exit status {done.returncode}'}")


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock file at `path`, waiting for whoever has it; yield its descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
