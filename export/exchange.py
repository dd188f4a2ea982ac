"""Put a directory in the place of another in one system call, so that no reader ever finds neither or half."""

import ctypes
import errno
import logging
import os
import tempfile
from pathlib import Path

from polyrank.errors import RepositoryError

logger = logging.getLogger(__name__)

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
            _warn_of_later(new, place)
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


def _warn_of_later(new: Path, place: Path) -> None:
    """Say at the first version already that a second cannot come, as on most network file systems."""
    try:
        with tempfile.TemporaryDirectory(dir=new.parent) as one, tempfile.TemporaryDirectory(dir=new.parent) as other:
            _exchange(Path(one), Path(other))
    except (OSError, RepositoryError):
        logger.warning(
            "the file system of %s cannot exchange directories: a further version, or a rollback, will be refused; "
            "publish to a local disk and copy from there, or each version to a repository of its own",
            place,
        )


def _exchange(new: Path, place: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise RepositoryError("publishing a further version needs Linux with glibc 2.28 or newer (renameat2)")
    if libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(place), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(place))
