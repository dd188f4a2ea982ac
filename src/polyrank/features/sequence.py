"""What happened before, in order."""

from typing import Literal

from .hashed import Dtype, Hashed
from .keys import Side

Order = Literal["oldest_first", "newest_first"]


class SequenceFeature(Hashed, frozen=True, kw_only=True, tag_field="kind", tag="sequence"):
    """A list of values in order of time: `max_length` slots of `ids`, pooled into one vector.

    A longer list keeps its newest values: the last ones, or the first where `order` is `newest_first`.

    `shares` names another feature whose embedding table, dtype and size this one uses. Pooling `attention` weighs each
    value by how it fits `target`, a categorical feature of the same table; left out, that is the one of `shares`.
    """

    max_length: int
    order: Order = "oldest_first"
    side: Side = "context"
    dtype: Dtype | None = None
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    shares: str | None = None
    identity: bool = False
    pooling: Literal["mean", "attention"] = "mean"
    target: str | None = None

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the feature fills."""
        return self.max_length

    @property
    def table(self) -> str:
        """The feature whose embedding table it uses."""
        return self.shares or self.name
