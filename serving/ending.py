"""Ends a Triton with all that belongs to it. Needs the standard library alone."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from .regions import SHARED_MEMORY

TICK_S = 0.05
# Triton logs this once no request is in flight. Unloading takes a second for each instance after it and saves nothing.
DRAINED = b"All models are stopped, unloading models"


def shared_memory_prefix(folder: Path) -> str:
    """Return how the names of a server's shared-memory regions begin, for the server with this folder."""
    return f"polyrank-{folder.name}-"


def remove_shared_memory(folder: Path) -> None:
    """Remove the shared-memory regions of a Triton that has ended."""
    for region in SHARED_MEMORY.glob(f"{shared_memory_prefix(folder)}*"):
        region.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove a dead server's private folder and shared-memory regions."""
    remove_shared_memory(folder)
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
    kill_group(leader)


def kill_group(leader: int) -> None:
    """Kill a Triton process group at once; its leader may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def reap(timeout_s: float = 5.0) -> None:
    """Wait for orphaned workers, so that not even a zombie is left."""
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(TICK_S)


def _has_drained(log: Path, seen: int) -> bool:
    try:
        with log.open("rb") as stream:
            stream.seek(seen)
            return DRAINED in stream.read()
    except OSError:  # the log is gone: wait for the process instead
        return False
