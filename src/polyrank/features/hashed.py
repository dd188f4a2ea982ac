"""Features that become slots of `ids`: values hashed to fingerprints, and looked up in an embedding table."""

from typing import Literal

import msgspec

from .common import Side

Dtype = Literal["text", "int64"]
Pooling = Literal["mean", "sum", "sqrtn", "max"]
"""How the vectors of many values become one."""

MAX_BUCKETS = 2**31
MAX_EMBEDDING_DIM = 4096
MAX_LENGTH = 10_000
DEFAULT_EMBEDDING_DIM = 16


class Hashed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of the feature's name, one slot and a table of its own, unless a kind says otherwise."""

    name: str

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the feature fills."""
        return 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row needs for it."""
        return (self.name,)

    @property
    def table(self) -> str:
        """The feature whose embedding table it uses."""
        return self.name


class CategoricalFeature(Hashed, frozen=True, kw_only=True, tag_field="kind", tag="categorical"):
    """One value, hashed to a fingerprint: one slot of `ids`.

    `shares` names another feature whose embedding table, dtype and size this one uses.
    """

    side: Side = "context"
    dtype: Dtype | None = None
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    shares: str | None = None

    @property
    def table(self) -> str:
        """The feature whose embedding table it uses."""
        return self.shares or self.name


class BagFeature(Hashed, frozen=True, kw_only=True, tag_field="kind", tag="bag"):
    """A list of values, each hashed: `max_length` slots of `ids`, pooled into one vector. A longer list keeps its head.

    `shares` names another feature whose embedding table, dtype and size this one uses.
    """

    max_length: int
    side: Side = "context"
    dtype: Dtype | None = None
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    shares: str | None = None
    pooling: Pooling = "mean"

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the feature fills."""
        return self.max_length

    @property
    def table(self) -> str:
        """The feature whose embedding table it uses."""
        return self.shares or self.name
