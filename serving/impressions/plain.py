"""Arrow columns in types that Arrow takes rows of and Parquet holds."""

from typing import Any

from polyrank.canonical.arrow import is_list


def plain_array(column: Any) -> Any:
    """Return a column as one array without dictionaries, runs and views, at any depth of lists."""
    import pyarrow as pa

    kind, chunked = _plain_type(column.type), pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    if kind != chunked.type:
        # Arrow 26 casts no runs, and list views to empty lists.
        chunked = (
            pa.chunked_array([pa.array(chunked.to_pylist(), kind)]) if _is_odd(chunked.type) else chunked.cast(kind)
        )
    found = chunked.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _plain_type(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if not is_list(kind):
        return kind
    item = _plain_type(kind.value_type)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return pa.large_list(item)
    if item == kind.value_type:
        return kind
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(item, kind.list_size)
    return pa.large_list(item) if pa.types.is_large_list(kind) else pa.list_(item)


def _is_odd(kind: Any) -> bool:
    import pyarrow as pa

    is_view = pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
    if is_view or pa.types.is_run_end_encoded(kind):
        return True
    return (is_list(kind) or pa.types.is_dictionary(kind)) and _is_odd(kind.value_type)
