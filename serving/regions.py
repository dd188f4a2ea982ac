"""Names of the shared memory of clients. A name tells whose it is, and so whether anybody still uses it.

Needs the standard library alone: the supervisor of a server frees what dead clients left. A name means something only
to processes that see the same process numbers, so not across containers.
"""

import os
import re
import secrets
from pathlib import Path

from .processes import process

PREFIX = "polyrank-client-"
_NAME = re.compile(rf"{PREFIX}(?P<pid>[1-9]\d*)-(?P<start_ticks>\d+)-[0-9a-f]+")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (where Linux keeps shared memory)


def region_name() -> str:
    """Return a fresh name of a region of this process: `polyrank-client-<pid>-<start ticks>-<random hex>`."""
    own = process(os.getpid())
    start_ticks = 0 if own is None else own.start_ticks  # never None: this process runs
    return f"{PREFIX}{os.getpid()}-{start_ticks}-{secrets.token_hex(8)}"


def is_orphan(name: str) -> bool:
    """Say whether a region is one of ours and its process has ended."""
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    owner = process(int(found["pid"]))
    return owner is None or owner.start_ticks != int(found["start_ticks"])


def remove_orphan(key: str) -> None:
    """Free the memory of a dead client's region.

    Args:
        key: The name of its memory, as `shm_open` takes it: with a slash before it. That of a living process, and any
            that is not named as `region_name` does, stays.
    """
    name = key.removeprefix("/")
    if is_orphan(name):
        (SHARED_MEMORY / name).unlink(missing_ok=True)
