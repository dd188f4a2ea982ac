"""Virtual environments with one version of ONNX Runtime each, kept in the user's cache folder."""

import re
import sys
from pathlib import Path

from polyrank.arguments import text
from polyrank.caches import cache_folder
from polyrank.errors import ExportError
from polyrank.reasons import system_reason
from polyrank.virtual_environments import CommandError, locked, make_environment, run_apart

MARKER = ".complete"
FIRST_WITH_NUMPY_2 = (1, 19)
"""Earlier wheels were built against numpy 1, and do not load beside numpy 2."""


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
        with locked(folder.with_name(f"{name}.lock")) as lock:
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
        run_apart([str(python), "-I", *arguments])
    except CommandError as err:
        raise ExportError(f"the model does not answer there: {err}") from err
    except OSError as err:
        raise ExportError(
            f"{python} cannot be run: {system_reason(err)}; remove its environment, and export again"
        ) from err


def _make(folder: Path, version: str, lock: int) -> None:
    try:
        make_environment(folder, specs_of(version), lock=lock, with_dependencies=True)
    except CommandError as err:
        raise ExportError(f"ONNX Runtime {version} cannot be installed: {err}") from err
    (folder / MARKER).touch()
