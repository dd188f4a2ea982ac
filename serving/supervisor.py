"""A small process between the caller and Triton, which sees to it that nothing is left behind.

Run by path, with the standard library alone: `python -I -S supervisor.py FOLDER LOG COMMAND...`. It starts COMMAND in a
process group of its own and ends it when standard input says `stop SECONDS` or closes, when its parent dies by whatever
signal, or when it is told to by a signal itself. Then it kills what is left of the group, and removes FOLDER and the
shared memory named after it. On standard output it gives the command's process id.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

TICK_S = 0.05
GRACE_S = 10.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory
# Triton logs this once no request is in flight. Unloading takes a second for each instance after it and saves nothing.
DRAINED = b"All models are stopped, unloading models"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def shared_memory_prefix(folder: Path) -> str:
    """Return how the names of a server's shared-memory regions begin, for the server with this folder."""
    return f"polyrank-{folder.name}-"


def remove_leftovers(folder: Path) -> None:
    """Remove a dead server's private folder and shared-memory regions."""
    for region in SHARED_MEMORY.glob(f"{shared_memory_prefix(folder)}*"):
        region.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def end_group(leader: int, *, grace_s: float, log: Path, is_over: Callable[[], bool]) -> None:
    """Ask a Triton process group to stop, wait for its requests, then kill what is left.

    Args:
        leader: Process id of Triton, which leads the group.
        grace_s: Seconds that requests in flight may take.
        log: Triton's log.
        is_over: Whether Triton has ended.
    """
    seen = log.stat().st_size if log.exists() else 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while not is_over() and time.monotonic() < deadline:
        time.sleep(TICK_S)
        if _has_drained(log, seen):
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _has_drained(log: Path, seen: int) -> bool:
    try:
        with log.open("rb") as stream:
            stream.seek(seen)
            return DRAINED in stream.read()
    except OSError:  # the log is gone: wait for the process instead
        return False


class _Supervisor:
    """Runs one command and waits for a reason to end it."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self._parent = os.getppid()
        self._grace_s = GRACE_S
        self._is_told = False

    def run(self, command: Sequence[str]) -> int:
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphaned workers become ours to wait for
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, self._told)
        try:
            child = _start(command, libc)
            self._wait(child)
            died_alone = child.poll() is not None
            end_group(child.pid, grace_s=self._grace_s, log=self._log, is_over=lambda: child.poll() is not None)
            child.wait()
            _reap()
        finally:
            remove_leftovers(self._folder)
        return int(died_alone)

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        self._is_told = True

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        """Return when the child ended or shall end."""
        while child.poll() is None and not self._is_told and os.getppid() == self._parent:
            readable, _, _ = select.select([sys.stdin], [], [], TICK_S)
            if readable:
                self._read_order()

    def _read_order(self) -> None:
        words = os.read(sys.stdin.fileno(), 64).split()  # nothing: the parent closed its end
        if len(words) > 1:
            self._grace_s = float(words[1])
        self._is_told = True


def _start(command: Sequence[str], libc: ctypes.CDLL) -> "subprocess.Popen[bytes]":
    supervisor = os.getpid()

    def die_with_supervisor() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != supervisor:  # it died before the request took hold
            os._exit(1)

    child = subprocess.Popen(  # noqa: S603 - the command that the server composed
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        process_group=0,
        preexec_fn=die_with_supervisor,  # noqa: PLW1509 - this process has one thread
    )
    with contextlib.suppress(BrokenPipeError):  # the parent is gone, which the wait will see
        os.write(sys.stdout.fileno(), f"{child.pid}\n".encode())
    return child


def _reap(timeout_s: float = 5.0) -> None:
    """Wait for orphaned workers, so that not even a zombie is left."""
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(TICK_S)


if __name__ == "__main__":
    sys.exit(_Supervisor(Path(sys.argv[1]), Path(sys.argv[2])).run(sys.argv[3:]))
