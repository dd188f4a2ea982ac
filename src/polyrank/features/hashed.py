"""Features that become slots of `ids`: values hashed to fingerprints, and looked up in an embedding table."""

from typing import Literal

import msgspec

from .common import Side

Dtype = Literal["text", "int64"]

MAX_BUCKETS = 2**31
MAX_EMBEDDING_DIM = 4096
MAX_LENGTH = 10_000
DEFAULT_EMBEDDING_DIM = 16


class CategoricalFeature(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="categorical"
):
    """One value, hashed to a fingerprint: one slot of `ids`.

    `shares` names another feature whose embedding table, dtype and size this one uses.
    """

    name: str
    side: Side = "context"
    dtype: Dtype | None = None
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    shares: str | None = None


class BagFeature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="bag"):
    """A list of values, each hashed: `max_length` slots of `ids`, pooled into one vector. A longer list keeps its head.

    `shares` names another feature whose embedding table, dtype and size this one uses.
    """

    name: str
    max_length: int
    side: Side = "context"
    dtype: Dtype | None = None
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    shares: str | None = None
    pooling: Literal["mean", "sum"] = "mean"


HashedFeature = CategoricalFeature | BagFeature
