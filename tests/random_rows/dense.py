"""Random features that are numbers, each with its column."""

import pyarrow as pa
from hypothesis import strategies as st

from polyrank.features import BucketizedFeature, NumericFeature, Transform, VectorFeature

from .values import Integers, Part, cell, numbers

SCALED: tuple[tuple[Transform, ...], ...] = ((), ("log1p",), ("quantile",), ("log1p", "minmax"), ("standardize",))
TRANSFORMS: tuple[tuple[Transform, ...], ...] = (*SCALED, *(("clip", *steps) for steps in SCALED))


@st.composite
def numeric(draw: st.DrawFn, name: str, whole: Integers) -> Part:
    transform = draw(st.sampled_from(TRANSFORMS))
    low = 0.0 if transform[:1] == ("log1p",) else None
    kind, values = draw(numbers(whole, low=low))
    return Part(
        NumericFeature(name=name, transform=transform, clip=(0.5, 9.0) if "clip" in transform else None),
        {name: kind},
        cell(name, values),
    )


@st.composite
def bucketized(draw: st.DrawFn, name: str, whole: Integers) -> Part:
    kind, values = draw(numbers(whole))
    feature = draw(
        st.sampled_from(
            [BucketizedFeature(name=name, boundaries=(0.0, 1.5)), BucketizedFeature(name=name, quantiles=3)]
        )
    )
    return Part(feature, {name: kind}, cell(name, values))


@st.composite
def vector(draw: st.DrawFn, name: str, whole: Integers) -> Part:
    dim = draw(st.integers(1, 3))
    kind, values = draw(numbers(whole))
    column = draw(st.sampled_from([pa.list_(kind), pa.list_(kind, dim)]))
    feature = VectorFeature(name=name, dim=dim, l2_norm=draw(st.booleans()))
    return Part(feature, {name: column}, cell(name, st.lists(values, min_size=dim, max_size=dim)), csv=False)
