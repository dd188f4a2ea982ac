"""One loop at a time in a folder."""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from polyrank.errors import OutputError
from polyrank.reasons import system_reason

from .cycles import now

LOCK_FILE = "lock"
ATTEMPTS, PAUSE_S = 5, 0.02


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which the death of the process frees, until the block ends.

    Raises:
        OutputError: another process holds it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as err:
        raise OutputError(f"cannot write {folder}: {system_reason(err)}; see $.loop.folder") from err
    try:
        _claim(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str | None:
    """Say who holds the lock of a folder; None when nobody does."""
    file = folder / LOCK_FILE
    if not file.is_file():
        return None
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return None


def _claim(descriptor: int, folder: Path) -> None:
    for attempt in range(ATTEMPTS):  # whoever asks for the status holds it for an instant
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as err:
            if attempt == ATTEMPTS - 1:
                who = _told(os.pread(descriptor, 4096, 0))
                raise OutputError(f"{who} runs the loop in {folder}; wait until it ends, or stop it") from err
            time.sleep(PAUSE_S)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}).encode(), 0)


def _told(text: bytes) -> str:
    """Say who wrote a lock; it may be about to."""
    try:
        found = json.loads(text)
        return f"process {found['pid']} on {found['host']}, since {found['since']},"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "another process"
