"""The columns that impressions have beside features."""

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

RESERVED = ("request_id", "shown_at", "model", "version", "arm", "rank", "rank_score", "scores", "task_weights")
"""Names that no feature of a logged model may have."""


@functools.cache
def own_fields() -> "tuple[pa.Field, ...]":
    """Return the fields of these names, in their order."""
    import pyarrow as pa

    by_task = pa.map_(pa.string(), pa.float32())
    types = (
        *(pa.string(), pa.timestamp("us", "UTC")),
        *(pa.string(), pa.string(), pa.string()),
        *(pa.int32(), pa.float32(), by_task, by_task),
    )
    return tuple(pa.field(name, kind) for name, kind in zip(RESERVED, types, strict=True))
