"""A folder that one process works in at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from polyrank.errors import OutputError
from polyrank.reasons import system_reason


@contextlib.contextmanager
def locked_folder(folder: Path, purpose: str) -> Iterator[None]:
    """Keep a folder, which is made where there is none, to this process alone while the block runs.

    Args:
        folder: where it is.
        purpose: what it is for, as messages say: `search`.

    Raises:
        OutputError: the folder cannot be written, or another process has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as err:
        reason = system_reason(err)
        raise OutputError(f"cannot write {folder}: {reason}; choose another folder for the {purpose}") from err
    try:
        _lock(descriptor, folder, purpose)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, purpose: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        raise OutputError(
            f"another process is at work on the {purpose} in {folder}; wait for it, or choose another folder"
        ) from err
