"""Columns in whatever form they arrive, brought to the canonical Arrow form that the kernels hash.

The declared dtype decides the bytes (docs/fingerprint.md): `text` becomes Arrow text or bytes, `int64` becomes Arrow
int64. What is already there passes through without a copy. A missing value is null.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from polyrank.errors import DataError

from .arrow import decoded as decoded
from .arrow import from_arrow, from_numpy
from .items import from_items
from .reading import Dtype as Dtype
from .reading import Reading as Reading
from .reading import ValueRefusedError as ValueRefusedError
from .reading import new_reading as new_reading


def as_rows(values: object, column: str) -> Any:
    """Return `values` as a list, a one-dimensional numpy array or a pyarrow ChunkedArray, without a copy where it can.

    Raises:
        DataError: `values` is not a column.
    """
    import pyarrow as pa

    if isinstance(values, list | pa.ChunkedArray):
        return values
    if isinstance(values, pa.Array):
        return pa.chunked_array([values])
    if str(getattr(values, "dtype", "")).lower() == "object":  # numpy, pandas and polars columns of Python objects
        return list(_one_dimensional(values, column))
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return _import_arrow(values, column)
    if hasattr(values, "__array__"):
        return _one_dimensional(np.asanyarray(values), column)
    return _from_sequence(values, column)


def canonical_chunks(rows: Any, how: Reading) -> Iterator[Any]:
    """Bring what `as_rows` returned to canonical Arrow arrays, in order.

    Yields:
        Arrays of text or bytes (dtype `text`) or int64 (dtype `int64`), missing values null; or dictionary arrays whose
        dictionary is such an array, null in the dictionary meaning missing too.

    Raises:
        DataError: a value has no canonical form under the declared dtype; the message names column, value and row.
    """
    if isinstance(rows, list):
        yield from_items(rows, how)
    elif isinstance(rows, np.ndarray):
        # Iterating keeps numpy's own scalars, where tolist() would make integers of datetime64[ns].
        yield from_numpy(rows, how) if rows.dtype.kind in "biuf" else from_items(list(rows), how)
    else:
        first_row = 0
        for chunk in rows.chunks:
            yield from_arrow(chunk, how, first_row)
            first_row += len(chunk)


def _one_dimensional(values: Any, column: str) -> Any:
    if len(values.shape) != 1:
        raise DataError(f"column {column!r} must have one dimension, got shape {list(values.shape)}")
    return values


def _from_sequence(values: object, column: str) -> list[Any]:
    if isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview):
        return list(values)
    raise DataError(
        f"column {column!r} must be an array or a list of values, got {type(values).__name__}; "
        "fingerprint_one takes a single value"
    )


def _import_arrow(values: Any, column: str) -> Any:
    import pyarrow as pa

    try:
        if hasattr(values, "__arrow_c_stream__"):
            return pa.chunked_array(values)
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowException, TypeError, ValueError) as err:
        raise DataError(f"column {column!r} of type {type(values).__name__} is not readable as Arrow: {err}") from err
