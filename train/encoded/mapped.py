"""Encoded rows in an Arrow file that is mapped into memory."""

import contextlib
import json
import mmap
import os
from pathlib import Path
from typing import Any

from .arrow import from_record_batch
from .rows import EncodedRows


class MappedStorage:
    """Rows of a file. It stays readable when the file is removed, or another takes its place."""

    def __init__(self, reader: Any, memory: mmap.mmap) -> None:
        self._reader = reader
        self._memory = memory
        self.lengths = tuple(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))

    @classmethod
    def open(cls, file: Path, made_of: dict[str, Any]) -> "MappedStorage | None":
        """Map a file, None where there is none, it is damaged, or it was made of something else."""
        import pyarrow as pa

        try:
            with file.open("rb") as raw:
                memory = mmap.mmap(raw.fileno(), 0, prot=mmap.PROT_READ)
                with contextlib.suppress(OSError):  # a file of somebody else
                    os.utime(raw.fileno())
            reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(memory)))
            if json.loads(reader.schema.metadata[b"polyrank"]) != json.loads(json.dumps(made_of)):
                return None
            return cls(reader, memory)
        except (OSError, ValueError, KeyError, TypeError):  # ArrowInvalid is a ValueError
            return None

    def piece(self, index: int) -> EncodedRows:
        """View a record batch of the file."""
        return from_record_batch(self._reader.get_batch(index))

    def release(self) -> None:
        """Let the system take the pages back."""
        self._memory.madvise(mmap.MADV_DONTNEED)
