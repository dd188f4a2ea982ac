"""Makes the server's runtime environment on disk: a virtual environment, pinned packages, a marker written last."""

import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from polyrank.errors import ServerRuntimeError

_log = logging.getLogger(__name__)

MARKER = "polyrank-runtime.json"
# Settings that would send packages elsewhere or forbid the pins; indexes, proxies and certificates stay the user's own.
_UNWANTED = ("PIP_CONSTRAINT", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONPATH", "PYTHONHOME")


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock file at `path`, waiting for whoever has it.

    Yields:
        The descriptor of the lock. A child that inherits it keeps the lock when this process is killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("another process is making the server's runtime; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def build(path: Path, pins: Mapping[str, str], *, lock: int, python: str = sys.executable) -> None:
    """Make the environment at `path` from nothing; what was there goes first.

    Args:
        path: Folder of the environment.
        pins: Exact version of each package. Their dependencies are not installed: the server uses none of them.
        lock: Descriptor of the held lock; pip inherits it, so that nobody builds here while an orphaned pip writes.
        python: The interpreter to make the environment from.

    Raises:
        ServerRuntimeError: venv or pip fails; the message has their last line.
        OSError: The folder cannot be written.
    """
    (path / MARKER).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    _log.info("making the server's runtime environment in %s", path)
    _run([python, "-m", "venv", str(path)], "venv", lock)
    specs = [f"{name}=={version}" for name, version in pins.items()]
    _log.info("installing %s", ", ".join(specs))
    _run([str(path / "bin" / "python"), *_PIP, *specs], "pip", lock)
    _write_marker(path, pins)
    _log.info("the server's runtime is complete")


_PIP = (
    *("-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"),
    *("--no-deps", "--only-binary=:all:"),
)


def _write_marker(path: Path, pins: Mapping[str, str]) -> None:
    partial = path / f"{MARKER}.partial"
    partial.write_text(json.dumps(dict(pins), indent=2) + "\n")
    partial.replace(path / MARKER)


def _run(command: Sequence[str], step: str, lock: int) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
    done = subprocess.run(  # noqa: S603 - venv and pip, with our own arguments
        command,
        env=environment,
        pass_fds=(lock,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        reason = _last_line(done.stdout) or f"exit status {done.returncode}"
        raise ServerRuntimeError(f"server runtime could not be installed: {step} failed: {reason}")


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1]
