"""However rows arrive, they become one batch, and that batch is what the format says."""

import json
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from polyrank.encoder import Batch, Encoder
from polyrank.features import BagFeature, CategoricalFeature, NumericFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

MAX_LENGTH = 3
ENCODER = Encoder(
    Schema(
        name="toy",
        features=(
            CategoricalFeature(name="id", dtype="int64", num_buckets=9),
            CategoricalFeature(name="word", dtype="text", num_buckets=9, missing=("-",)),
            BagFeature(name="liked", shares="id", max_length=MAX_LENGTH),
            BagFeature(name="tags", dtype="text", num_buckets=9, max_length=MAX_LENGTH),
            NumericFeature(name="age"),
        ),
        tasks=(BinaryTask(name="click", label="is_click"),),
    )
)
ARROW = pa.schema(
    {
        "id": pa.int64(),
        "word": pa.string(),
        "liked": pa.list_(pa.int64()),
        "tags": pa.list_(pa.string()),
        "age": pa.float64(),
    }
)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.just("-")
integers = st.integers(-(2**63), 2**63 - 1)
exact = st.integers(-(2**53), 2**53)


def rows_of(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.fixed_dictionaries(
        {
            "id": st.none() | numbers,
            "word": st.none() | words,
            "liked": st.none() | st.lists(st.none() | numbers, max_size=5),
            "tags": st.none() | st.lists(st.none() | words, max_size=5),
            "age": st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
        }
    )
    return st.lists(row, min_size=1, max_size=12)


def fingerprint(value: int | str | None, missing: tuple[str, ...] = ()) -> int:
    if value is None or value in missing:
        return -1
    raw = value.encode() if isinstance(value, str) else value.to_bytes(8, "little", signed=True)
    return xxhash.xxh64_intdigest(raw, seed=42) & (2**63 - 1)


def bag(values: list[Any] | None) -> list[int]:
    return [*map(fingerprint, values or []), *[-1] * MAX_LENGTH][:MAX_LENGTH]


def assert_same(batch: Batch, expected: Batch) -> None:
    assert_array_equal(batch.ids, expected.ids)
    assert_array_equal(batch.dense, expected.dense)


@given(rows_of(integers))
def test_batch_is_what_the_format_says(rows: list[dict[str, Any]]) -> None:
    batch = ENCODER.encode(pa.Table.from_pylist(rows, ARROW))
    assert batch.ids.tolist() == [
        [fingerprint(row["id"]), fingerprint(row["word"], ("-",)), *bag(row["liked"]), *bag(row["tags"])]
        for row in rows
    ]
    ages = [np.nan if row["age"] is None else row["age"] for row in rows]
    assert_array_equal(batch.dense[:, 0], np.array(ages, np.float32))


@given(rows_of(integers))
def test_dicts_and_their_json_give_the_batch_of_arrow(rows: list[dict[str, Any]]) -> None:
    expected = ENCODER.encode(pa.Table.from_pylist(rows, ARROW))
    assert_same(ENCODER.encode(rows), expected)
    assert_same(ENCODER.encode(json.loads(json.dumps(rows))), expected)


@given(rows_of(integers), st.integers(0, 12))
def test_chunks_and_slices_give_the_batch_of_the_whole(rows: list[dict[str, Any]], cut: int) -> None:
    table = pa.Table.from_pylist(rows, ARROW)
    expected = ENCODER.encode(table)
    assert_same(ENCODER.encode(pa.concat_tables([table[:cut], table[cut:]])), expected)
    twice = pa.concat_tables([table, table]).combine_chunks()
    assert_same(ENCODER.encode(twice[len(rows) :]), expected)


@given(rows_of(integers))
def test_polars_gives_the_batch_of_arrow(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, ARROW)
    assert_same(ENCODER.encode(pl.DataFrame(pl.from_arrow(table))), ENCODER.encode(table))


@given(rows_of(exact))
def test_pandas_with_integers_made_floats_gives_the_batch_of_arrow(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, ARROW)
    assert_same(ENCODER.encode(table.to_pandas()), ENCODER.encode(table))


@given(rows_of(integers))
def test_integers_as_text_give_the_same_batch(rows: list[dict[str, Any]]) -> None:
    texts = [
        row
        | {
            "id": None if row["id"] is None else str(row["id"]),
            "liked": None if row["liked"] is None else [None if v is None else str(v) for v in row["liked"]],
        }
        for row in rows
    ]
    assert_same(ENCODER.encode(texts), ENCODER.encode(pa.Table.from_pylist(rows, ARROW)))


@given(rows_of(integers))
def test_a_row_does_not_depend_on_its_neighbours(rows: list[dict[str, Any]]) -> None:
    together = ENCODER.encode(rows)
    for index, row in enumerate(rows):
        assert_same(ENCODER.encode([row]), together[index : index + 1])
