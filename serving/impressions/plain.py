"""Arrow columns in types that Arrow takes rows of and Parquet holds."""

from typing import Any

from polyrank.canonical.arrow import is_list


def plain_array(column: Any) -> Any:
    """Return a column as one array without dictionaries, runs and views, at any depth of lists."""
    import pyarrow as pa

    chunked = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    kind = _plain_type(column.type)
    if _is_odd(column.type):  # Arrow 26 casts no runs, and list views to empty lists
        return pa.array(chunked.to_pylist(), kind)
    if kind != column.type:
        chunked = chunked.cast(kind)
    found = chunked.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _plain_type(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if is_list(kind):
        return _plain_list(kind)
    return {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(kind, kind)


def _plain_list(kind: Any) -> Any:
    import pyarrow as pa

    item = _plain_type(kind.value_type)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(item, kind.list_size)
    return pa.list_(item) if pa.types.is_list(kind) else pa.large_list(item)


def _is_odd(kind: Any) -> bool:
    import pyarrow as pa

    is_view = pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
    if is_view or pa.types.is_run_end_encoded(kind):
        return True
    return (is_list(kind) or pa.types.is_dictionary(kind)) and _is_odd(kind.value_type)
