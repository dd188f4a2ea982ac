"""Impressions by list, as a journal keeps them: what all items of a list have in common is there once."""

from typing import TYPE_CHECKING

from .columns import own_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_ITEMS = ""
"""The column of what each item of a list has of its own; no feature has this name."""
_BYTES_AT_ONCE = 2**28


def nested(common: "pa.RecordBatch", items: "pa.RecordBatch", counts: "NDArray[np.int64]") -> "pa.RecordBatch":
    """Return a row for each list.

    Args:
        common: columns of lists (L).
        items: columns of items, those of a list one after the other (N).
        counts: how many items each list has, int64 (L).
    """
    import numpy as np
    import pyarrow as pa

    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    column = pa.ListArray.from_arrays(offsets, items.to_struct_array())
    schema = common.schema.append(pa.field(_ITEMS, column.type))
    return pa.RecordBatch.from_arrays([*common.columns, column], schema=schema)


def num_rows(batch: "pa.RecordBatch") -> int:
    """Return how many rows `unnested` makes of a batch."""
    place = batch.schema.get_field_index(_ITEMS)
    return batch.num_rows if place < 0 else len(batch.column(place).flatten())


def unnested(batch: "pa.RecordBatch") -> "Iterator[pa.RecordBatch]":
    """Yield a row for each item, in batches; one without lists is yielded as it is.

    A long list of a long row is far larger than the bytes that it comes from, so that memory is bounded here.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    place = batch.schema.get_field_index(_ITEMS)
    if place < 0:
        yield batch
        return
    lists = batch.column(place)
    common = batch.select([name for name in batch.schema.names if name != _ITEMS])
    items, owners = pa.RecordBatch.from_struct_array(lists.flatten()), pc.list_parent_indices(lists)
    step = max(1, _BYTES_AT_ONCE // max(1, common.nbytes))
    for start in range(0, max(1, len(owners)), step):  # one of no rows too, for its schema
        yield _joined(common.take(owners.slice(start, step)), items.slice(start, step))


def unnested_schema(schema: "pa.Schema") -> "pa.Schema":
    """Return that of what `unnested` makes of batches of a schema."""
    import pyarrow as pa

    return next(unnested(pa.RecordBatch.from_pylist([], schema))).schema


def _joined(common: "pa.RecordBatch", items: "pa.RecordBatch") -> "pa.RecordBatch":
    """Put columns side by side: those of every log first, in their order."""
    import pyarrow as pa

    fields = {field.name: field for batch in (common, items) for field in batch.schema}
    columns = dict(zip(fields, (*common.columns, *items.columns), strict=True))
    own = [field.name for field in own_fields() if field.name in fields]
    names = [*own, *(name for name in fields if name not in own)]
    return pa.RecordBatch.from_arrays([columns[name] for name in names], schema=pa.schema([fields[n] for n in names]))
