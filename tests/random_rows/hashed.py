"""Random features that are hashed, each with its columns."""

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from polyrank.features import BagFeature, CategoricalFeature, Dtype, Pooling, SequenceFeature, TextFeature

from .values import Integers, Part, cell, integers, items, lists, missing, singles, words

NUM_BUCKETS = 9
poolings: st.SearchStrategy[Pooling] = st.sampled_from(["mean", "sum", "sqrtn", "max"])
lengths = st.integers(1, 4)


@st.composite
def categorical(draw: st.DrawFn, name: str, whole: Integers) -> Part:
    found = draw(items(whole))
    feature = CategoricalFeature(name=name, dtype=found.dtype, num_buckets=NUM_BUCKETS, missing=draw(missing))
    return Part(feature, {name: found.type}, cell(name, found.values), found.csv)


@st.composite
def identity(draw: st.DrawFn, name: str, whole: Integers) -> Part:
    found = draw(items(whole).filter(lambda one: one.dtype == "int64"))
    tokens = draw(missing)
    if draw(st.booleans()):
        feature = CategoricalFeature(name=name, identity=True, num_buckets=NUM_BUCKETS, missing=tokens)
        return Part(feature, {name: found.type}, cell(name, found.values), found.csv)
    ids = BagFeature(name=name, identity=True, num_buckets=NUM_BUCKETS, missing=tokens, max_length=draw(lengths))
    return Part(ids, {name: pa.list_(found.type)}, cell(name, lists(found.values)), csv=False)


@st.composite
def bag(draw: st.DrawFn, name: str, whole: Integers) -> Part:
    found, weights = draw(items(whole)), draw(st.none() | st.just(f"weights {name}"))
    feature = BagFeature(
        name=name,
        dtype=found.dtype,
        num_buckets=NUM_BUCKETS,
        missing=draw(missing),
        max_length=draw(lengths),
        pooling=draw(poolings) if weights is None else "mean",
        weights=weights,
    )
    types = {name: pa.list_(found.type)}
    if weights is None:
        return Part(feature, types, cell(name, lists(found.values)), csv=False)
    types[weights] = pa.list_(draw(st.sampled_from([pa.float32(), pa.float64()])))
    return Part(feature, types, _weighted(name, weights, found.values), csv=False)


@st.composite
def separated(draw: st.DrawFn, name: str, _whole: Integers) -> Part:
    dtypes: list[Dtype] = ["text", "int64"]
    dtype = draw(st.sampled_from(dtypes))
    values = words if dtype == "text" else integers.map(str)
    weight_separator = draw(st.sampled_from([None, ":", "::"]))
    feature = BagFeature(
        name=name,
        dtype=dtype,
        num_buckets=NUM_BUCKETS,
        missing=draw(missing),
        max_length=draw(lengths),
        separator="|",
        weight_separator=weight_separator,
    )
    value = values.filter(lambda text: "|" not in text)
    if weight_separator is not None:
        value = st.tuples(value, singles).map(lambda pair: f"{pair[0]}{weight_separator}{pair[1]!r}")
    return Part(feature, {name: pa.string()}, cell(name, st.lists(value, max_size=5).map("|".join)))


@st.composite
def sequence(draw: st.DrawFn, name: str, whole: Integers) -> Part:
    found = draw(items(whole))
    feature = SequenceFeature(
        name=name,
        dtype=found.dtype,
        num_buckets=NUM_BUCKETS,
        missing=draw(missing),
        max_length=draw(lengths),
        order=draw(st.sampled_from(["oldest_first", "newest_first"])),
    )
    return Part(feature, {name: pa.list_(found.type)}, cell(name, lists(found.values)), csv=False)


@st.composite
def text(draw: st.DrawFn, name: str, _whole: Integers) -> Part:
    feature = TextFeature(
        name=name,
        sizes=draw(st.sampled_from([(1,), (1, 2), (2,)])),
        num_buckets=NUM_BUCKETS,
        missing=draw(missing),
        max_length=draw(lengths),
        pooling=draw(poolings),
    )
    return Part(feature, {name: pa.string()}, cell(name, words | st.sampled_from(["Ab c-d", "東京 x", "a b a b a b"])))


@st.composite
def _weighted(draw: st.DrawFn, name: str, weights: str, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    found = draw(st.none() | lists(values))
    size = len(found or [])
    return {name: found, weights: draw(st.lists(st.none() | singles, min_size=size, max_size=size))}
