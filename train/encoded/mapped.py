"""Encoded rows in an Arrow file that is mapped into memory."""

import contextlib
import json
import mmap
import os
from pathlib import Path
from typing import Any, Self

from polyrank.errors import DataError

from .arrow import CHECKSUM, DESCRIBED, checksum, from_record_batch
from .identity import digest
from .rows import EncodedRows


class DamagedRowsError(DataError):
    """A file of encoded rows is not what was written: it was removed, and the rows are to be encoded anew."""


class MappedStorage:
    """Rows of a file. It stays readable when the file is removed, or another takes its place.

    Attributes:
        file: where they were mapped from.
        lengths: how many rows each piece has.
    """

    def __init__(self, file: Path, memory: mmap.mmap) -> None:
        """Read the index of an Arrow file.

        Raises:
            ArrowInvalid: it is none.
        """
        import pyarrow as pa

        buffer = pa.py_buffer(memory)
        self.file, self._checked = file, set[int]()
        self._memory = memory
        self._address = buffer.address
        self._reader = reader = pa.ipc.open_file(pa.BufferReader(buffer))
        self.lengths = tuple(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))

    @classmethod
    def open(cls, file: Path, made_of: dict[str, Any]) -> Self | None:
        """Map a file, None where there is none, it is damaged, or it was made of something else."""
        try:
            with file.open("rb") as raw:
                memory = mmap.mmap(raw.fileno(), 0, prot=mmap.PROT_READ)
                with contextlib.suppress(OSError):  # a file of somebody else
                    os.utime(raw.fileno())
            stored = cls(file, memory)
            return stored if stored.made_of == json.loads(json.dumps(made_of)) else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):  # ArrowInvalid is a ValueError
            return None

    @property
    def made_of(self) -> Any:
        """What the rows were encoded from, and how."""
        return json.loads(self._reader.schema.metadata[DESCRIBED.encode()])

    def piece(self, index: int) -> EncodedRows:
        """View a record batch of the file.

        Raises:
            DataError: it is not what was written, which is looked at when it is first read; see `damaged`.
        """
        rows, written = self._read(index)
        if index not in self._checked and (rows is None or checksum(rows) != written):
            rows = None
        if rows is None:
            raise self.damaged()
        self._checked.add(index)
        return rows

    def damaged(self) -> DataError:
        """Return the error for a file that is not what was written, which is removed."""
        self.file.unlink(missing_ok=True)
        return DamagedRowsError(f"encoded rows in {self.file} are damaged, and were removed; train again")

    def _read(self, index: int) -> tuple[EncodedRows | None, str]:
        try:
            batch, metadata = self._reader.get_batch_with_custom_metadata(index)
            return from_record_batch(batch), metadata[CHECKSUM].decode()
        except (ValueError, KeyError, TypeError):  # ArrowInvalid is a ValueError
            return None, ""

    def expect(self, index: int, start: int, stop: int) -> None:
        """Make the system begin to read rows of a piece, without waiting for them."""
        for array in self.piece(index).arrays().values():
            part = array[start:stop]
            if part.size > 0:
                begin = part.ctypes.data - self._address
                aligned = begin - begin % mmap.PAGESIZE
                self._memory.madvise(mmap.MADV_WILLNEED, aligned, begin - aligned + part.nbytes)

    def digest(self) -> str:
        """Return hexadecimal digits that stand for the rows: of the checksums that were written with them."""
        return digest([self._read(index)[1] for index in range(len(self.lengths))])

    def release(self) -> None:
        """Let the system take the pages back."""
        self._memory.madvise(mmap.MADV_DONTNEED)
