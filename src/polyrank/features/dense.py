"""Features that become columns of `dense`: numbers."""

from typing import Literal

import msgspec

from .common import Side

Transform = Literal["log1p", "standardize"]


class NumericFeature(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="numeric"
):
    """A number: one column of `dense`, transformed inside the model. Missing becomes the mean, with an indicator.

    `mean` and `std` describe the training rows after `log1p`; training fits them, people leave them out.
    """

    name: str
    side: Side = "context"
    transform: tuple[Transform, ...] = ()
    mean: float | None = None
    std: float | None = None
