"""Put a directory in the place of another in one system call, so that no reader ever finds neither or half."""

import ctypes
import errno
import os
from pathlib import Path

from polyrank.errors import RepositoryError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""Linux renameat2(2)."""


def exchange(new: Path, place: Path) -> None:
    """Move `new` to `place`; what was at `place` is at `new` afterwards.

    Raises:
        RepositoryError: the file system cannot exchange directories.
        OSError: the move itself fails.
    """
    if not place.exists():
        new.rename(place)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise RepositoryError("publishing a further version needs Linux with glibc 2.28 or newer (renameat2)")
    code = libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(place), _RENAME_EXCHANGE)
    if code == 0:
        return
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EXDEV):
        raise RepositoryError(
            f"the file system of {place} cannot exchange directories, or lies apart from that of its parent's parent "
            f"({os.strerror(number).lower()}); publish to a repository on a local disk and copy from there"
        )
    raise OSError(number, os.strerror(number), str(place))
