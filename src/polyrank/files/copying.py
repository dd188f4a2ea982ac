"""Copies on this machine of files that lie elsewhere and are read more than once, such as CSV."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from polyrank.errors import OutputError
from polyrank.reasons import system_reason

from .remote import Location, RemotePath


@contextlib.contextmanager
def local_copy(file: Location) -> Iterator[Path]:
    """Give a file of this machine: itself, or a copy that is removed afterwards.

    Raises:
        DataError: the store cannot be reached, or stops midway.
        OutputError: there is no room for the copy.
    """
    if not isinstance(file, RemotePath):
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="polyrank-") as folder:
        copy = Path(folder, file.name)
        file.reach(lambda: _fetch(file, copy))
        yield copy


def _fetch(file: RemotePath, copy: Path) -> None:
    size = file.system.info(file.path).get("size")
    try:
        file.system.get_file(file.path, str(copy))
    except OSError as err:
        if err.filename is None or not str(err.filename).startswith(str(copy.parent)):
            raise
        raise no_room(copy.parent, err) from err
    if size is not None and copy.stat().st_size != size:
        raise ConnectionError(f"it ended after {copy.stat().st_size:,} of {size:,} bytes")


def no_room(folder: Path, err: OSError) -> OutputError:
    """Return the error of a copy that cannot be written to a folder of temporary files."""
    return OutputError(f"cannot write {folder}: {system_reason(err)}; set TMPDIR to a folder with room")
