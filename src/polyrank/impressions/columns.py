"""The columns that impressions have beside features."""

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

REQUEST_ID, SHOWN_AT = "request_id", "shown_at"
MODEL, VERSION, ARM = "model", "version", "arm"
RANK, RANK_SCORE, SCORES, TASK_WEIGHTS = "rank", "rank_score", "scores", "task_weights"

RESERVED = (REQUEST_ID, SHOWN_AT, MODEL, VERSION, ARM, RANK, RANK_SCORE, SCORES, TASK_WEIGHTS)
"""Names that no feature of a logged model may have."""


@functools.cache
def own_fields() -> "tuple[pa.Field, ...]":
    """Return the fields of these names, in their order."""
    import pyarrow as pa

    by_task = pa.map_(pa.string(), pa.float32())
    types = {
        SHOWN_AT: pa.timestamp("us", "UTC"),
        RANK: pa.int32(),
        RANK_SCORE: pa.float32(),
        SCORES: by_task,
        TASK_WEIGHTS: by_task,
    }
    return tuple(pa.field(name, types.get(name, pa.string())) for name in RESERVED)
