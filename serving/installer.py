"""Makes the server's runtime environment on disk: a virtual environment, pinned packages, a marker written last."""

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from polyrank.errors import ServerRuntimeError
from polyrank.virtual_environments import CommandError, make_environment

_log = logging.getLogger(__name__)

MARKER = "polyrank-runtime.json"


def build(path: Path, pins: Mapping[str, str], *, lock: int, python: str = sys.executable) -> None:
    """Make the environment at `path` from nothing; what was there goes first.

    Args:
        path: Folder of the environment.
        pins: Exact version of each package. Their dependencies are not installed: the server uses none of them.
        lock: Descriptor of the held lock.
        python: The interpreter to make the environment from.

    Raises:
        ServerRuntimeError: venv or pip fails; the message has their last line.
        OSError: The folder cannot be written.
    """
    (path / MARKER).unlink(missing_ok=True)
    packages = [f"{name}=={version}" for name, version in pins.items()]
    try:
        make_environment(path, packages, lock=lock, with_dependencies=False, python=python)
    except CommandError as err:
        raise ServerRuntimeError(f"server runtime could not be installed: {err}") from err
    _write_marker(path, pins)
    _log.info("the server's runtime is complete")


def _write_marker(path: Path, pins: Mapping[str, str]) -> None:
    partial = path / f"{MARKER}.partial"
    partial.write_text(json.dumps(dict(pins), indent=2) + "\n")
    partial.replace(path / MARKER)
