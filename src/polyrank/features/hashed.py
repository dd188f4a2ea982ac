"""Features that become slots of `ids`: values hashed to fingerprints, and looked up in an embedding table."""

from typing import Literal

import msgspec

from .keys import Side

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
    def num_weights(self) -> int:
        """How many columns of `weights` the feature fills."""
        return 0

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

    `shares` names another feature whose embedding table, dtype and size this one uses. With `identity` the values are
    whole numbers from 0 up to `num_buckets`, each with a row of its own, and nothing is hashed.
    """

    side: Side = "context"
    dtype: Dtype | None = None
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    shares: str | None = None
    identity: bool = False

    @property
    def table(self) -> str:
        """The feature whose embedding table it uses."""
        return self.shares or self.name


class BagFeature(Hashed, frozen=True, kw_only=True, tag_field="kind", tag="bag"):
    """A list of values, each hashed: `max_length` slots of `ids`, pooled into one vector. A longer list keeps its head.

    `shares` names another feature whose embedding table, dtype and size this one uses. `identity` is as for a
    categorical feature.

    `weights` names a list column of as many numbers, which weigh the values: `max_length` columns of `weights`.
    `separator` says that a list may come as text, such as "39,68"; `weight_separator` that weights are in this text,
    as in "a:0.3,b:0.7".
    """

    max_length: int
    side: Side = "context"
    dtype: Dtype | None = None
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    shares: str | None = None
    identity: bool = False
    pooling: Pooling = "mean"
    weights: str | None = None
    separator: str | None = None
    weight_separator: str | None = None

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the feature fills."""
        return self.max_length

    @property
    def num_weights(self) -> int:
        """How many columns of `weights` the feature fills."""
        return 0 if self.weights_column is None else self.max_length

    @property
    def weights_column(self) -> str | None:
        """The column of the weights, of the row or made of the bag's text."""
        return f"weights of {self.name}" if self.weight_separator is not None else self.weights

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row needs for it."""
        return (self.name,) if self.weights is None else (self.name, self.weights)

    @property
    def table(self) -> str:
        """The feature whose embedding table it uses."""
        return self.shares or self.name
