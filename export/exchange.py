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
    """Move `new` to `place`; what was at `place`, if anything, is at `new` afterwards.

    Raises:
        RepositoryError: the file system cannot do it in one step.
        OSError: the move itself fails.
    """
    try:
        if place.exists():
            _exchange(new, place)
        else:
            new.rename(place)
    except OSError as err:
        if err.errno == errno.EXDEV:
            raise RepositoryError(
                f"{place.parent} is a mount point, so nothing moves into it in one step; "
                f"publish to a folder inside it, such as {place.parent / 'models'}"
            ) from err
        if err.errno in (errno.EINVAL, errno.ENOSYS):
            raise RepositoryError(
                f"the file system of {place} cannot exchange directories ({os.strerror(err.errno).lower()}); "
                f"publish to a repository on a local disk and copy from there"
            ) from err
        raise


def _exchange(new: Path, place: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise RepositoryError("publishing a further version needs Linux with glibc 2.28 or newer (renameat2)")
    if libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(place), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(place))
