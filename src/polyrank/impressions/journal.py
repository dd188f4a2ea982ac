"""A journal: record batches on their way to a Parquet file, in a hidden file that survives its writer."""

import contextlib
import datetime as dt
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .lists import num_rows

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX, SUFFIX = ".impressions-", ".journal"


class Journal:
    """An Arrow IPC stream that batches are added to, each whole or not at all; `nested` ones take less room.

    Its file is locked as long as it is open, which tells others that its writer lives. Not safe to share between
    threads. A child of a fork calls `forget`.

    Attributes:
        path: `.impressions-<UTC time>-<random>.journal`.
        schema: of its batches.
        size: bytes that are in it for good.
        num_rows: rows of the file that will be made of it.
        opened: `time.monotonic` of its making.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, schema: "pa.Schema", since: float) -> None:
        """Make the file.

        Args:
            folder: made where it is missing.
            schema: of the batches.
            since: seconds since 1970, for the name.
        """
        self.schema, self.size, self.num_rows = schema, 0, 0
        self.opened = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._file = _locked_new(folder, since)
        self._is_dirty = False
        try:
            self._write(schema.serialize())
        except OSError:
            self.discard()
            raise

    def append(self, batch: "pa.RecordBatch") -> None:
        """Write a batch; after an error the journal is as before it.

        Raises:
            OSError: the disk is full, or fails.
        """
        self._write(batch.serialize())
        self.num_rows += num_rows(batch)

    def flush(self) -> None:
        """Have the disk hold what was written, should the machine stop too.

        Raises:
            OSError: the disk fails.
        """
        if self._is_dirty:
            os.fdatasync(self._file)
            self._is_dirty = False

    def discard(self) -> None:
        """Remove the file, as of a journal without a batch."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.forget()

    def forget(self) -> None:
        """Close the file and leave it where it is; in a child of a fork the lock stays with the parent."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _write(self, data: "pa.Buffer") -> None:
        rest = memoryview(data)
        try:
            while rest:  # a disk that is nearly full takes a part
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)
        self._is_dirty = True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock of the file at `path`, and say whether that is so: not where its writer lives or it is gone."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield _lock(file) and _is_at(file, path)
    finally:
        os.close(file)


def _locked_new(folder: Path, since: float) -> tuple[Path, int]:
    while True:
        stamp = dt.datetime.fromtimestamp(since, dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = folder / f"{PREFIX}{stamp}-{secrets.token_hex(6)}{SUFFIX}"
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
        # Whoever recovers the folder may have it in the instant before the lock holds.
        if _lock(file) and _is_at(file, path):
            return path, file
        os.close(file)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
