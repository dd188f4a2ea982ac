"""Encoded rows as Arrow record batches and files, and back without a copy."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.fingerprint import fingerprint

from .rows import EncodedRows

CHECKSUM = "checksum"
DESCRIBED = "polyrank"


def to_record_batch(rows: EncodedRows) -> Any:
    """Return rows as a record batch: matrices as lists of a fixed size; columns of width 0 are left out."""
    import pyarrow as pa

    columns = {}
    for name, array in rows.arrays().items():
        flat = pa.array(array.reshape(-1))
        if array.ndim == 1:
            columns[name] = flat
        elif array.shape[1] > 0:
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
    return pa.record_batch(columns)


def write_rows(file: Path, described: dict[str, Any], pieces: Iterable[EncodedRows]) -> list[str]:
    """Write one or more pieces as an Arrow file, with what they are made of in its metadata; return their checksums."""
    import pyarrow as pa

    remaining = iter(pieces)
    rows = next(remaining)
    schema = to_record_batch(rows).schema.with_metadata({DESCRIBED: json.dumps(described)})
    checksums = []
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for piece in itertools.chain([rows], remaining):
            checksums.append(checksum(piece))
            batch = to_record_batch(piece).replace_schema_metadata(schema.metadata)
            writer.write_batch(batch, custom_metadata={CHECKSUM: checksums[-1]})
    return checksums


def from_record_batch(batch: Any) -> EncodedRows:
    """View a record batch as rows."""
    import pyarrow as pa

    count = batch.num_rows
    arrays: dict[str, Any] = {"ids": np.empty((count, 0), np.int64), "dense": np.empty((count, 0), np.float32)}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        is_matrix = pa.types.is_fixed_size_list(column.type)
        flat = (column.flatten() if is_matrix else column).to_numpy(zero_copy_only=True)
        arrays[name] = flat.reshape(count, column.type.list_size) if is_matrix else flat
    return EncodedRows(**arrays)


def checksum(rows: EncodedRows) -> str:
    """Return fingerprints of the bytes of all arrays."""
    import pyarrow as pa

    found = []
    for array in rows.arrays().values():
        content = pa.py_buffer(np.ascontiguousarray(array))
        offsets = pa.py_buffer(np.array([0, content.size], np.int64))
        whole = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, offsets, content])
        found.append(f"{int(fingerprint(whole, dtype='text')[0]):016x}")
    return " ".join(found)
