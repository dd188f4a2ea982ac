"""Attributes of users and items beside each row of the logs."""

from typing import TYPE_CHECKING

from polyrank.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def attach(
    rows: "pa.Table",
    attributes: "pa.Table",
    key: str,
    *,
    of: str = "the interactions",
    source: str = "its table of attributes",
) -> "pa.Table":
    """Add the columns of `attributes` to `rows` by key. pyarrow's own join takes no list columns.

    Raises:
        DataError: a key `of` the rows is not in its `source`.
    """
    import pyarrow.compute as pc

    positions = pc.index_in(rows[key], value_set=attributes[key].combine_chunks())
    if positions.null_count:
        unknown = rows[key].filter(positions.is_null())[0].as_py()
        raise DataError(f"{key} {unknown} of {of} is not in {source}")
    found = attributes.drop_columns([key]).combine_chunks().take(positions)
    for name in found.column_names:
        rows = rows.append_column(name, found[name])
    return rows
