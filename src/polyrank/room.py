"""Room on the disk, asked for before hours are spent on what would not fit."""

import os
import shutil
from pathlib import Path

from polyrank.errors import OutputError

_GIB, _MIB = 2**30, 2**20


def require_disk(target: Path, size: int, what: str) -> None:
    """Refuse to begin what would not fit on the disk of `target`.

    Args:
        target: is to be written; need not exist.
        size: bytes of it.
        what: takes them, as the message says.

    Raises:
        OutputError: less is free.
    """
    folder = next(place for place in (target.absolute(), *target.absolute().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    # What cannot be written at all is told by who tries.
    if size > free and os.access(folder, os.W_OK):
        raise OutputError(
            f"cannot write {target}: {what} take {shown_bytes(size)}, and {shown_bytes(free)} are free; choose another "
            f"output directory or free space there"
        )


def shown_bytes(size: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{size / _GIB:,.1f} GiB" if size >= _GIB else f"{size / _MIB:,.1f} MiB"
