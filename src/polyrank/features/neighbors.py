"""What the logs say of a value by way of others: a graph of values that are engaged with together."""

import msgspec

from .hashed import Pooling
from .keys import Side

MAX_NEIGHBORS = 1000


class NeighborsFeature(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="neighbors"
):
    """The `k` values most co-engaged with that of the categorical feature `of`, pooled in its embedding table.

    Two values are co-engaged where one value of the categorical feature `by` engaged with both; a row engages where
    the label of the binary `task` is 1, every row without a task. Training fits a table of rows for the model, which
    reads the slot of `of`: the feature has neither a column nor a slot. `side` is that of `of`.
    """

    name: str
    of: str
    by: str
    side: Side | None = None
    task: str | None = None
    k: int = 10
    pooling: Pooling = "mean"
