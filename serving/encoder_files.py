"""Gives a server's workers the encoder: a copy of what of the running Polyrank encodes rows.

A copy, so that a server goes on with the encoder it was started with, whatever is installed meanwhile; and of files,
since an editable installation has them in several places, of which the workers' environment knows none.
"""

import importlib.util
import shutil
from pathlib import Path

import polyrank

_SESSION = Path("serving", "backends", "onnxruntime", "model.py")
_FOLDERS = ("canonical", "features", "table")
"""Of the package; others encode nothing, whatever may be added."""

_LEFT_OUT = shutil.ignore_patterns("__main__.py", "__pycache__", "_native*")


def copy_encoder(target: Path) -> None:
    """Copy the package `polyrank`, without the rooms that encode nothing, into the folder `target`."""
    source, package = Path(polyrank.__file__).parent, target / "polyrank"
    shutil.copytree(source, package, ignore=_left_out)
    extension = importlib.util.find_spec("polyrank._native")
    assert extension is not None  # noqa: S101 (nothing of Polyrank runs without it)
    assert extension.origin is not None  # noqa: S101
    shutil.copy(extension.origin, package)
    (package / _SESSION).parent.mkdir(parents=True)
    shutil.copy(source / _SESSION, package / _SESSION)


def _left_out(folder: str, names: list[str]) -> set[str]:
    found = _LEFT_OUT(folder, names)
    if Path(folder) == Path(polyrank.__file__).parent:
        found |= {name for name in names if Path(folder, name).is_dir() and name not in _FOLDERS}
    return found
