"""Features that become columns of `dense`: numbers."""

from typing import Literal

import msgspec

from .keys import Side

Transform = Literal["clip", "log1p", "standardize", "minmax", "quantile"]

DEFAULT_QUANTILES = 100
MAX_QUANTILES = 1024
MAX_DIM = 16_384


class NumericFeature(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="numeric"
):
    """A number: one column of `dense`, transformed inside the model. Missing becomes the mean, with an indicator.

    Training fits what describes its rows, people leave it out: `mean`, `std`, `minimum` and `maximum`, after `clip`
    and `log1p`; `knots` and their `levels`, the piecewise linear map of `quantile`, under which missing becomes 0.5.
    """

    name: str
    side: Side = "context"
    transform: tuple[Transform, ...] = ()
    clip: tuple[float, float] | None = None
    quantiles: int | None = None
    mean: float | None = None
    std: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    knots: tuple[float, ...] | None = None
    levels: tuple[float, ...] | None = None


class BucketizedFeature(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="bucketized"
):
    """A number: one column of `dense`, which the model maps to a bucket and looks up in a table of its own.

    `boundaries` part the buckets; a number equal to a boundary belongs to the bucket above it. With `quantiles`
    training fits the boundaries, so that about as many of its rows fall into each bucket.
    """

    name: str
    side: Side = "context"
    boundaries: tuple[float, ...] | None = None
    quantiles: int | None = None
    embedding_dim: int | None = None


class VectorFeature(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="vector"
):
    """A list of `dim` numbers: as many columns of `dense`. Missing becomes zeros, with an indicator.

    `l2_norm` divides a vector by its length, `projection` maps it to that many numbers by a linear layer that is
    trained.
    """

    name: str
    dim: int
    side: Side = "context"
    l2_norm: bool = False
    projection: int | None = None


DenseFeature = NumericFeature | BucketizedFeature | VectorFeature
