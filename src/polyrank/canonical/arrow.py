"""Arrow columns of types that the extension does not know."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .reading import Reading, type_refusal


def import_arrow(values: Any, **options: Any) -> Any:
    """Return `values` as a pyarrow ChunkedArray."""
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        return values
    if hasattr(values, "__arrow_c_stream__") and not isinstance(values, pa.Array):
        return pa.chunked_array(values)
    return pa.chunked_array([pa.array(values, **options)])


def table_of(columns: Mapping[str, Any]) -> Any:
    """Return Arrays and ChunkedArrays as a pyarrow Table.

    Empty chunks are left out: a table refuses those of string_view that were sliced and came through a stream.
    """
    import pyarrow as pa

    def full(column: Any) -> Any:
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        return pa.chunked_array([chunk for chunk in chunks if len(chunk) > 0], column.type)

    return pa.table({name: full(column) for name, column in columns.items()})


def known_chunks(column: Any, how: Reading) -> Any:
    """Bring a ChunkedArray to a type that the extension knows.

    Raises:
        DataError: a categorical feature takes no such type.
    """
    import pyarrow as pa

    first_row, chunks = 0, []
    for chunk in column.chunks:
        chunks.append(_known(chunk, how, first_row))
        first_row += len(chunk)
    return pa.chunked_array(chunks) if chunks else column


def decoded(column: Any) -> Any:
    """Return a ChunkedArray out of its dictionaries, if it has any."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type) or column.num_chunks == 0:
        return column
    return pa.chunked_array([_without_views(chunk.dictionary).take(chunk.indices) for chunk in column.chunks])


def unpacked(column: Any) -> Any:
    """Return a column as a ChunkedArray out of its dictionaries and views of text, if it has any."""
    import pyarrow as pa

    column = decoded(import_arrow(column))
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column


def shown(array: Any, row: int) -> object:
    """Return the value at `row` for a message, its type's name where Python has no such value."""
    try:
        return array[row].as_py()
    except UnicodeDecodeError:
        return shown(_without_views(array).cast("large_binary"), row)
    except (ValueError, OverflowError, NotImplementedError):
        return str(array.type)


def _known(array: Any, how: Reading, first_row: int) -> Any:
    import pyarrow.compute as pc

    if _is_known(array.type):
        return array
    plain = _plain(array)
    if _is_known(plain.type) or plain.null_count == len(plain):
        return plain
    row = int(pc.index(plain.is_valid(), value=True).as_py())
    raise how.refusal(shown(plain, row), first_row + row, type_refusal(str(plain.type)))


def _is_known(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return not pa.types.is_dictionary(kind.value_type) and _is_known(kind.value_type)
    tests = (
        *(pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean),
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
        *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary),
    )
    return any(test(kind) for test in tests)


def _without_views(array: Any) -> Any:
    """Arrow's compute functions know no string_view and binary_view."""
    import pyarrow as pa

    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    return array.cast(pa.large_binary()) if pa.types.is_binary_view(array.type) else array


def _plain(array: Any) -> Any:
    """Return an array out of its runs and its dictionaries, however they lie in one another."""
    import pyarrow as pa

    if pa.types.is_run_end_encoded(array.type):
        return _plain(_without_runs(array))
    if pa.types.is_dictionary(array.type):
        return _plain(_without_views(_plain(array.dictionary)).take(array.indices))
    return array


def _without_runs(array: Any) -> Any:
    """Repeat each value as often as its run is long. Arrow itself decodes runs of few types."""
    ends = array.run_ends.to_numpy().astype(np.int64).clip(array.offset, array.offset + len(array))
    rows = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=array.offset))
    return _without_views(_plain(array.values)).take(rows)


def is_list(kind: Any) -> bool:
    """Say whether a type is one of Arrow's lists."""
    import pyarrow as pa

    tests = (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_fixed_size_list,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
    )
    return any(test(kind) for test in tests)
