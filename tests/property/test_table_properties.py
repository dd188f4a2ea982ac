"""Random groups over random tables, in every form, give what the reference says."""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from reference import fingerprint_v1 as reference

from polyrank.canonical import Dtype
from polyrank.table import (
    Arrays,
    BagGroup,
    CategoricalGroup,
    CrossGroup,
    Field,
    Group,
    NGramGroup,
    NumberGroup,
    TableEncoder,
    VectorGroup,
)

KINDS: dict[str, tuple[pa.DataType, ...]] = {
    "number": (pa.int64(), pa.string(), pa.large_string()),
    "word": (pa.string(), pa.large_string(), pa.string_view()),
    "numbers": (pa.list_(pa.int64()), pa.large_list(pa.string()), pa.list_view(pa.int64())),
    "words": (pa.list_(pa.string()), pa.large_list(pa.string_view()), pa.list_(pa.large_string())),
    "weights": (pa.list_(pa.float32()), pa.large_list(pa.float64())),
    "score": (pa.float32(), pa.float64()),
    "place": (
        pa.list_(pa.float32(), 3),
        pa.list_(pa.float64(), 3),
        pa.list_(pa.float32()),
        pa.large_list(pa.float64()),
    ),
}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["-", "7", "Ab c-d", "東京 x"])
integers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)
scores = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def row_of(draw: st.DrawFn) -> dict[str, Any]:
    words = draw(st.none() | st.lists(st.none() | texts, max_size=4))
    size = len(words or [])
    return {
        "number": draw(st.none() | integers),
        "word": draw(st.none() | texts),
        "numbers": draw(st.none() | st.lists(st.none() | integers, max_size=4)),
        "words": words,
        "weights": draw(st.lists(st.none() | scores, min_size=size, max_size=size)),
        "score": draw(st.none() | scores),
        "place": draw(st.none() | st.lists(scores, min_size=3, max_size=3)),
    }


missing = st.sampled_from([(), ("-",), ("7", "-", "")])
dtypes: st.SearchStrategy[Dtype] = st.sampled_from(["text", "int64"])
scalars = st.builds(Field, name=st.just("word"), dtype=st.just("text"), missing=missing) | st.builds(
    Field, name=st.just("number"), dtype=dtypes, missing=missing
)
items = st.builds(Field, name=st.just("words"), dtype=st.just("text"), missing=missing)
lengths = st.integers(1, 5)
groups: st.SearchStrategy[Group] = st.one_of(
    st.builds(CategoricalGroup, field=scalars),
    st.builds(CrossGroup, parts=st.lists(scalars, min_size=1, max_size=3).map(tuple)),
    st.builds(BagGroup, field=items, max_length=lengths, weights=st.none() | st.just("weights")),
    st.builds(
        BagGroup,
        field=st.builds(Field, name=st.just("numbers"), dtype=dtypes, missing=missing),
        max_length=lengths,
    ),
    st.builds(
        NGramGroup,
        field=st.builds(Field, name=st.just("word"), dtype=st.just("text"), missing=missing),
        sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
        max_length=lengths,
    ),
    st.builds(NumberGroup, name=st.just("score")),
    st.builds(VectorGroup, name=st.just("place"), dim=st.just(3)),
)
plans = st.lists(groups, min_size=1, max_size=12)
tables = st.lists(row_of(), min_size=1, max_size=10)


def padded(values: list[Any], size: int, padding: Any = -1) -> list[Any]:
    return [*values, *[padding] * size][:size]


def key(row: dict[str, Any], field: Field) -> Any:
    return reference.canonical_bytes(row[field.name], field.dtype, field.missing)


def slots(group: Group, row: dict[str, Any]) -> list[int]:
    match group:
        case CategoricalGroup(field=field):
            return [reference.fingerprint(row[field.name], field.dtype, missing=field.missing)]
        case CrossGroup(parts=parts):
            return [reference.chained([key(row, part) for part in parts])]
        case BagGroup(field=field, max_length=size):
            values = row[field.name] or []
            return padded([reference.fingerprint(v, field.dtype, missing=field.missing) for v in values], size)
        case NGramGroup(field=field, sizes=sizes, max_length=size):
            text = key(row, field)
            return padded([] if text is None else reference.ngrams(text.decode(), sizes), size)
        case _:
            return []


def weights_of(group: Group, row: dict[str, Any]) -> list[float]:
    if not isinstance(group, BagGroup) or group.weights is None:
        return []
    return padded([weight or 0.0 for weight in row["weights"]], group.max_length, 0.0)


def numbers_of(group: Group, row: dict[str, Any]) -> list[Any]:
    match group:
        case NumberGroup(name=name):
            return [row[name]]
        case VectorGroup(name=name, dim=dim):
            return row[name] or [None] * dim
        case _:
            return []


def expected(plan: list[Group], rows: list[dict[str, Any]]) -> Arrays:
    numbers = [[number for group in plan for number in numbers_of(group, row)] for row in rows]
    weights = [[w for group in plan for w in weights_of(group, row)] for row in rows]
    return (
        np.array([[slot for group in plan for slot in slots(group, row)] for row in rows], np.int64),
        np.array(weights, np.float32) if weights[0] else None,
        np.array(numbers, np.float64).astype(np.float32).reshape(len(rows), -1),
    )


def assert_same(found: Arrays, wanted: Arrays) -> None:
    assert_array_equal(found[0], wanted[0].reshape(found[0].shape))
    assert (found[1] is None) == (wanted[1] is None)
    assert_array_equal(np.array(found[1]), np.array(wanted[1]))
    assert_array_equal(found[2], wanted[2])


@st.composite
def arrow_of(draw: st.DrawFn, rows: list[dict[str, Any]]) -> pa.Table:
    """Return the rows as Arrow, of types drawn for each column, in slices of larger chunks."""
    schema = pa.schema([(name, draw(st.sampled_from(kinds))) for name, kinds in KINDS.items()])
    written = [
        {name: as_text(value) if "string" in str(schema.field(name).type) else value for name, value in row.items()}
        for row in rows
    ]
    cut = draw(st.integers(0, len(rows)))
    chunks = [written[:cut], written[cut:]]
    return pa.concat_tables([pa.Table.from_pylist([written[0], *chunk], schema)[1:] for chunk in chunks])


def as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return value if value is None else str(value)


@given(st.data(), plans, tables)
def test_arrow_gives_what_the_reference_says(
    data: st.DataObject, plan: list[Group], rows: list[dict[str, Any]]
) -> None:
    table = data.draw(arrow_of(rows))
    assert_same(TableEncoder(plan, threads=2).encode(table), expected(plan, rows))


@given(plans, tables)
def test_dicts_give_what_the_reference_says(plan: list[Group], rows: list[dict[str, Any]]) -> None:
    assert_same(TableEncoder(plan).encode(rows), expected(plan, rows))


@given(plans, tables)
def test_the_slower_way_gives_the_same(plan: list[Group], rows: list[dict[str, Any]]) -> None:
    encoder = TableEncoder(plan)
    columns = {name: [row[name] for row in rows] for name in encoder.columns}
    assert_same(encoder.encode_columns(columns), expected(plan, rows))


@given(plans, tables)
def test_polars_gives_what_the_reference_says(plan: list[Group], rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([(name, kinds[0]) for name, kinds in KINDS.items()])
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_pylist(rows, schema)))
    assert_same(TableEncoder(plan).encode(frame), expected(plan, rows))
