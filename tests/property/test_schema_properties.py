from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from polyrank.features import (
    BagFeature,
    BucketizedFeature,
    CategoricalFeature,
    CrossFeature,
    NeighborsFeature,
    NumericFeature,
    SequenceFeature,
    SharingFeature,
    TextFeature,
    VectorFeature,
)
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
identifiers = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"ids", "weights", "dense"}
)
finite = st.floats(allow_nan=False, allow_infinity=False)
sides = st.sampled_from(["user", "item", "context"])
table = {
    "side": sides,
    "dtype": st.sampled_from(["text", "int64"]),
    "num_buckets": st.integers(1, 2**31 - 1),
    "embedding_dim": st.none() | st.integers(1, 4096),
    "missing": st.lists(names, max_size=3).map(tuple),
}
categorical: dict[str, Any] = {**table}
identity: dict[str, Any] = {"dtype": st.none() | st.just("int64"), "identity": st.just(value=True)}
bag: dict[str, Any] = {
    **table,
    "max_length": st.integers(1, 10_000),
    "pooling": st.sampled_from(["mean", "sum", "sqrtn", "max"]),
}
weighted: dict[str, Any] = {
    **bag,
    "pooling": st.sampled_from(["mean", "sum", "sqrtn"]),
    "separator": st.sampled_from([",", "; "]),
    "weight_separator": st.sampled_from([":", "="]),
}
sequence: dict[str, Any] = {
    **{name: strategy for name, strategy in bag.items() if name != "pooling"},
    "order": st.sampled_from(["oldest_first", "newest_first"]),
}
text: dict[str, Any] = {
    **{name: strategy for name, strategy in bag.items() if name != "dtype"},
    "sizes": st.lists(st.integers(1, 10), min_size=1, unique=True).map(tuple),
}
numeric: dict[str, Any] = {
    "side": sides,
    "transform": st.sampled_from(
        [(), ("log1p",), ("standardize",), ("log1p", "standardize"), ("minmax",), ("quantile",)]
    ),
    "mean": st.none() | finite,
    "std": st.none() | finite.filter(lambda value: value > 0.0),
}
buckets: dict[str, Any] = {
    "side": sides,
    "boundaries": st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=4).map(
        lambda values: tuple(sorted(set(values)))
    ),
    "quantiles": st.none() | st.integers(2, 1024),
    "embedding_dim": st.none() | st.integers(1, 4096),
}
neighbors: dict[str, Any] = {
    "side": st.none(),
    "task": st.none(),
    "k": st.integers(1, 1000),
    "pooling": bag["pooling"],
}
task: dict[str, Any] = {
    "label": names.map(lambda name: f"label {name}"),
    "when": st.none() | names,
    "weight": finite.filter(lambda value: value > 0.0),
}


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    kinds = [
        lambda name: st.builds(CategoricalFeature, name=st.just(name), **{**categorical, **identity}),
        lambda name: st.builds(CategoricalFeature, name=st.just(name), **categorical),
        lambda name: st.builds(BagFeature, name=st.just(name), **bag),
        lambda name: st.builds(BagFeature, name=st.just(name), **weighted),
        lambda name: st.builds(SequenceFeature, name=st.just(name), **sequence),
        lambda name: st.builds(TextFeature, name=st.just(name), **text),
        lambda name: st.builds(NumericFeature, name=st.just(name), **numeric),
        lambda name: st.builds(BucketizedFeature, name=st.just(name), **buckets),
        lambda name: st.builds(VectorFeature, name=st.just(name), side=sides, dim=st.integers(1, 16_384)),
    ]
    feature_names = draw(
        st.lists(names.filter(lambda name: not name.startswith("label ")), min_size=1, max_size=6, unique=True)
    )
    features = [draw(draw(st.sampled_from(kinds))(name)) for name in feature_names]
    crossed = [feature.name for feature in features if isinstance(feature, CategoricalFeature)]
    if crossed:
        parts = tuple(draw(st.lists(st.sampled_from(crossed), min_size=2, max_size=3)))
        features.append(CrossFeature(name=f"{max(feature_names, key=len)}x", features=parts, num_buckets=9))
    owners = [feature.name for feature in features if isinstance(feature, SharingFeature)]
    if owners:
        sharer = f"{max(feature_names, key=len)}+"
        features.append(BagFeature(name=sharer, max_length=3, shares=draw(st.sampled_from(owners))))
    if crossed:
        seen = SequenceFeature(
            name=f"{sharer}+", max_length=3, shares=draw(st.sampled_from(crossed)), pooling="attention"
        )
        features.append(seen)
    if len(crossed) > 1:
        near = st.builds(
            NeighborsFeature, name=st.just(f"{sharer}++"), of=st.just(crossed[0]), by=st.just(crossed[1]), **neighbors
        )
        features.append(draw(near))
    task_kinds = [
        lambda name: st.builds(BinaryTask, name=st.just(name), **task),
        lambda name: st.builds(RegressionTask, name=st.just(name), transform=st.sampled_from([None, "log1p"]), **task),
    ]
    task_names = draw(st.lists(identifiers, min_size=1, max_size=3, unique=True))
    tasks = [draw(draw(st.sampled_from(task_kinds))(name)) for name in task_names]
    return Schema(
        name=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,8}", fullmatch=True)),
        features=tuple(features),
        tasks=tuple(tasks),
        time=draw(st.none() | names),
        group=draw(st.none() | names),
        sample_weight=draw(st.none() | names),
        time_unit=draw(st.sampled_from(["s", "ms", "us", "ns"])),
    )


@given(schemas())
def test_toml_gives_every_schema_back(schema: Schema) -> None:
    resolved = schema.resolved()
    assert Schema.from_toml(resolved.to_toml()) == resolved


@given(schemas())
def test_resolving_is_done_once(schema: Schema) -> None:
    assert schema.resolved().resolved() == schema.resolved()


@given(schemas())
def test_every_sharer_has_the_table_of_its_owner(schema: Schema) -> None:
    hashed = {f.name: f for f in schema.resolved().features if isinstance(f, SharingFeature)}
    owners = [hashed[feature.shares or feature.name] for feature in hashed.values()]
    assert [(f.dtype, f.num_buckets, f.embedding_dim, f.identity) for f in hashed.values()] == [
        (f.dtype, f.num_buckets, f.embedding_dim, f.identity) for f in owners
    ]
