"""Virtual environments that Polyrank makes for itself: one process at a time, whatever settings it was started with."""

import fcntl
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger(__name__)

# Settings that would send packages elsewhere or forbid the pins; indexes, proxies and certificates stay the user's own.
_UNWANTED = ("PIP_CONSTRAINT", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONPATH", "PYTHONHOME")
_PIP = ("-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:")


class CommandError(Exception):
    """A command ended otherwise than with 0; the message is its last line."""


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
            _log.info("another process is making %s; waiting for it", path.with_suffix(""))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def make_environment(
    folder: Path, packages: Sequence[str], *, lock: int, with_dependencies: bool, python: str = sys.executable
) -> None:
    """Make an environment from nothing; what was there goes first, and what a failure leaves goes too.

    Args:
        folder: of the environment. A killed process leaves it half made: a marker must say that it is whole.
        packages: what pip is asked for.
        lock: descriptor of the held lock; pip inherits it, so that nobody builds here while an orphaned pip writes.
        with_dependencies: install what the packages need, too.
        python: the interpreter to make the environment from.

    Raises:
        CommandError: venv or pip fails.
        OSError: the folder cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    _log.info("installing %s in %s", ", ".join(packages), folder)
    options = () if with_dependencies else ("--no-deps",)
    try:
        _step("venv", [python, "-m", "venv", str(folder)], lock)
        _step("pip", [str(folder / "bin" / "python"), *_PIP, *options, *packages], lock)
    except CommandError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def run_apart(command: Sequence[str], *locks: int) -> None:
    """Run a command without the settings of this process that change what an interpreter finds.

    Args:
        command: a program and its arguments.
        locks: descriptors that it inherits.

    Raises:
        CommandError: it fails.
        OSError: it cannot be run.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
    done = subprocess.run(  # noqa: S603 (interpreters of ours, with our own arguments)
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
        raise CommandError(_last_line(done.stdout) or f"exit status {done.returncode}")


def _step(name: str, command: Sequence[str], lock: int) -> None:
    try:
        run_apart(command, lock)
    except CommandError as err:
        raise CommandError(f"{name} failed: {err}") from err


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1]
