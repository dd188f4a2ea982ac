import decimal
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xxhash
from numpy.testing import assert_array_equal
from toy import ToyRows

from polyrank.encoder import Batch, Encoder, dense_layout, numbers, slot_layout
from polyrank.errors import DataError
from polyrank.features import CategoricalFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

TASK = '[[tasks]]\nname = "click"\nkind = "binary"\nlabel = "is_click"\n'
WHOLE = "whole numbers expected"


def encoder(feature: str) -> Encoder:
    return Encoder(Schema.from_toml(f'name = "one"\n[[features]]\nname = "a"\n{feature}\n{TASK}'))


IDS = encoder('kind = "categorical"\ndtype = "int64"\nnum_buckets = 9')
TEXT = encoder('kind = "categorical"\ndtype = "text"\nnum_buckets = 9\nmissing = ["", "-"]')
BAG = encoder('kind = "bag"\ndtype = "int64"\nnum_buckets = 9\nmax_length = 3')
TEXT_BAG = encoder('kind = "bag"\ndtype = "text"\nnum_buckets = 9\nmax_length = 3')
NUMBER = encoder('kind = "numeric"')
LOGGED = encoder('kind = "numeric"\ntransform = ["log1p"]')


def hashed(value: int | str) -> int:
    raw = value.encode() if isinstance(value, str) else value.to_bytes(8, "little", signed=True)
    return xxhash.xxh64_intdigest(raw, seed=42) & (2**63 - 1)


def padded(*values: int | str) -> list[int]:
    return [*map(hashed, values), -1, -1, -1][:3]


LISTS: dict[str, Any] = {
    "list": pa.array([[5, 6], None, [], [7]], pa.list_(pa.int64())),
    "large list": pa.array([[5, 6], None, [], [7]], pa.large_list(pa.int32())),
    "list view": pa.array([[5, 6], None, [], [7]], pa.list_view(pa.int64())),
    "sliced list": pa.array([[1], [5, 6], None, [], [7], [8]])[1:5],
    "list of text": pa.array([["5", "6"], None, [], ["7"]]),
    "list of floats": pa.array([[5.0, 6.0], None, [], [7.0]]),
    "list of string views": pa.array([["5", "6"], None, [], ["7"]], pa.list_(pa.string_view())),
    "list of dictionary": pa.array([["5", "6"], None, [], ["7"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    "values under a null": pa.ListArray.from_arrays(
        pa.array([0, 2, 4, 4, 5]), pa.array([5, 6, 1, 2, 7]), mask=pa.array([False, True, False, False])
    ),
    "chunks": pa.chunked_array([[[5, 6], None], [[]], [[7]]]),
    "no list at all in a chunk": pa.chunked_array([[[5, 6]], [None], [[]], [[7]]], pa.list_(pa.int64())),
    "python lists": [[5, 6], None, [], [7]],
    "python tuples": [(5, 6), None, (), (7,)],
    "mixed values": [[5, "6"], None, [], [7.0]],
    "numpy arrays": [np.array([5, 6]), None, np.array([]), np.array([7])],
    "nan for null": [[5, 6], float("nan"), [], [7]],
    "mixed values and NA": [[5, "6"], pd.NA, [], [7]],
}


@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS)
def test_lists_are_padded_to_max_length(lists: Any) -> None:
    rows = [{"a": value} for value in lists] if isinstance(lists, list) else pa.table({"a": lists})
    assert BAG.encode(rows).ids.tolist() == [padded(5, 6), padded(), padded(), padded(7)]


def test_fixed_size_lists_are_padded() -> None:
    lists = pa.array([[1, 2], [5, 6], None, [7, 8]], pa.list_(pa.int64(), 2))[1:]
    assert BAG.encode(pa.table({"a": lists})).ids.tolist() == [padded(5, 6), padded(), padded(7, 8)]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": pd.Series([np.array([5, 6]), None, [], (7,)], dtype=object)}),
        pd.DataFrame({"a": pd.Series([np.array(["5", "6"], object), np.nan, [], ["7"]], dtype=object)}),
        pl.DataFrame({"a": [[5, 6], None, [], [7]]}),
        pl.DataFrame({"a": [["5", "6"], None, [], ["7"]]}),
    ],
    ids=["pandas arrays", "pandas objects", "polars integers", "polars text"],
)
def test_lists_of_a_frame_are_padded(frame: Any) -> None:
    assert BAG.encode(frame).ids.tolist() == [padded(5, 6), padded(), padded(), padded(7)]


def test_overlong_list_keeps_its_head() -> None:
    assert BAG.encode([{"a": [1, 2, 3, 4, 5]}, {"a": [6]}]).ids.tolist() == [padded(1, 2, 3), padded(6)]


def test_null_inside_a_list_keeps_its_place() -> None:
    assert BAG.encode([{"a": [1, None, 3]}]).ids.tolist() == [[hashed(1), -1, hashed(3)]]


@pytest.mark.parametrize("value", [None, [], [None]])
def test_column_without_any_value_is_all_padding(value: object) -> None:
    assert BAG.encode([{"a": value}, {"a": None}]).ids.tolist() == [padded(), padded()]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([46, None]),
        pa.array(["46", None]),
        pa.array([46.0, None]),
        pa.array([46, None], pa.uint8()),
        pa.chunked_array([[46], [None]]),
        pa.array([1, 46, None])[1:],
        pa.array(["46", None]).dictionary_encode(),
    ],
    ids=["int", "text", "float", "uint8", "chunks", "slice", "dictionary"],
)
def test_id_is_one_value_however_it_arrives(values: Any) -> None:
    assert IDS.encode(pa.table({"a": values})).ids.tolist() == [[hashed(46)], [-1]]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [46, None]}),
        pd.DataFrame({"a": pd.array([46, None], dtype="Int64")}),
        pd.DataFrame({"a": pd.Series([46, None], dtype=object)}),
        pd.DataFrame({"a": pd.Series(["46", np.nan], dtype=object)}),
        pd.DataFrame({"a": ["46", None]}),
        pd.DataFrame({"a": pd.Categorical(["46", None])}),
        pd.DataFrame({"a": pd.Series([46, pd.NA, "7"], dtype=object)})[:2],
        pl.DataFrame({"a": [46, None]}),
        pl.DataFrame({"a": ["46", None]}, schema={"a": pl.Categorical}),
    ],
    ids=["float", "Int64", "objects", "text objects", "text", "category", "mixed", "polars", "polars category"],
)
def test_id_of_a_frame_is_the_same_value(frame: Any) -> None:
    assert IDS.encode(frame).ids.tolist() == [[hashed(46)], [-1]]


def test_missing_tokens_of_the_feature_are_missing() -> None:
    assert TEXT.encode([{"a": "-"}, {"a": ""}, {"a": "x"}]).ids.tolist() == [[-1], [-1], [hashed("x")]]


def forms(table: pa.Table) -> dict[str, Any]:
    return {
        "table": table,
        "record batch": table.combine_chunks().to_batches()[0],
        "chunks": pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7)]),
        "sliced": pa.concat_tables([table, table]).combine_chunks().slice(table.num_rows),
        "pandas": table.to_pandas(),
        "pandas objects": table.to_pandas().astype(object),
        "polars": pl.from_arrow(table),
        "dicts": table.to_pylist(),
        "json": json.loads(json.dumps(table.to_pylist())),
        "reordered": table.select(table.column_names[::-1]),
    }


@pytest.mark.parametrize("form", forms(pa.table({"a": [1]})))
def test_every_form_of_the_rows_gives_one_batch(form: str, toy_schema: Schema, toy_rows: ToyRows) -> None:
    table = toy_rows(50)
    expected, batch = Encoder(toy_schema).encode(table), Encoder(toy_schema).encode(forms(table)[form])
    assert_array_equal(batch.ids, expected.ids)
    assert_array_equal(batch.dense, expected.dense)


def test_layout_follows_the_schema(toy_schema: Schema) -> None:
    layout = [(slots.feature.name, slots.start, slots.stop) for slots in slot_layout(toy_schema)]
    assert layout == [
        ("user_id", 0, 1),
        ("item_id", 1, 2),
        ("history", 2, 7),
        ("tags", 7, 10),
        ("device", 10, 11),
    ]


def test_batch_has_the_dtypes_of_the_wire(toy_schema: Schema, toy_rows: ToyRows) -> None:
    batch = Encoder(toy_schema).encode(toy_rows(5))
    assert (batch.ids.dtype.name, batch.ids.shape) == ("int64", (5, 11))
    assert (batch.dense.dtype.name, batch.dense.shape) == ("float32", (5, 4))


def test_batch_of_the_caller_is_written(toy_schema: Schema, toy_rows: ToyRows) -> None:
    rows, encoder = toy_rows(5), Encoder(toy_schema)
    out = Batch(np.empty((5, 11), np.int64), np.empty((5, 4), np.float32))
    batch = encoder.encode(rows, out=out)
    assert (batch.ids is out.ids, batch.dense is out.dense) == (True, True)
    assert_array_equal(out.ids, encoder.encode(rows.to_pylist()).ids)


def test_batch_that_does_not_fit_is_refused(toy_schema: Schema, toy_rows: ToyRows) -> None:
    out = Batch(np.empty((4, 11), np.int64), np.empty((4, 4), np.float32))
    with pytest.raises(ValueError, match=r"^out\.ids must have shape \[5, 11\], got \[4, 11\]$"):
        Encoder(toy_schema).encode(toy_rows(5), out=out)


def test_rows_of_a_batch_are_picked_together() -> None:
    batch = Batch(np.arange(6).reshape(3, 2), np.arange(3, dtype=np.float32).reshape(3, 1))
    picked = batch[np.array([2, 0])]
    assert len(picked) == 2
    assert picked.ids.tolist() == [[4, 5], [0, 1]]
    assert picked.dense.tolist() == [[2.0], [0.0]]


def test_slice_of_a_batch_shares_memory() -> None:
    batch = Batch(np.zeros((3, 2), np.int64), np.zeros((3, 1), np.float32))
    assert np.shares_memory(batch[1:].ids, batch.ids)


def test_tensors_without_columns_are_not_named() -> None:
    assert list(IDS.encode([{"a": 1}]).named()) == ["ids"]
    assert list(NUMBER.encode([{"a": 1}]).named()) == ["dense"]


def test_clip_lets_numbers_below_zero_reach_the_logarithm() -> None:
    clipped = encoder('kind = "numeric"\ntransform = ["clip", "log1p"]\nclip = [0, 5]')
    assert clipped.encode([{"a": -0.5}]).dense.tolist() == [[-0.5]]


def test_dense_columns_follow_the_schema() -> None:
    schema = Schema.from_toml(
        'name = "one"\nfeatures = [{ name = "a", kind = "vector", dim = 2 }, { name = "b", kind = "categorical", '
        'dtype = "text", num_buckets = 9 }, { name = "c", kind = "bucketized", quantiles = 2 }, '
        '{ name = "d", kind = "vector", dim = 1 }, { name = "e", kind = "numeric" }]\n' + TASK
    )
    layout = [(columns.start, columns.stop, columns.names) for columns in dense_layout(schema)]
    assert layout == [(0, 2, ("a[0]", "a[1]")), (2, 3, ("c",)), (3, 4, ("d[0]",)), (4, 5, ("e",))]
    rows = [{"a": [1, 2], "b": "x", "c": 3, "d": [4.0], "e": 5}]
    assert Encoder(schema).encode(rows).dense.tolist() == [[1, 2, 3, 4, 5]]
    assert slot_layout(schema)[0].stop == 1


def test_schema_is_resolved_where_it_enters() -> None:
    features = (
        CategoricalFeature(name="a", dtype="int64", num_buckets=9),
        CategoricalFeature(name="b", shares="a"),
    )
    unresolved = Schema(name="one", features=features, tasks=(BinaryTask(name="click", label="is_click"),))
    assert Encoder(unresolved).encode([{"a": 46, "b": 46}]).ids.tolist() == [[hashed(46), hashed(46)]]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.5, None, 3.0]),
        pa.array([1.5, None, 3.0], pa.float32()),
        pa.array(np.array([1.5, np.nan, 3.0], np.float16)),
        pa.array([decimal.Decimal("1.5"), None, decimal.Decimal(3)]),
        pa.chunked_array([[1.5], [None, 3.0]]),
        pa.array([0.0, 1.5, None, 3.0])[1:],
        [1.5, None, 3],
        [1.5, pd.NA, np.float32(3)],
    ],
    ids=["float64", "float32", "float16", "decimal", "chunks", "slice", "python", "mixed"],
)
def test_numbers_are_float32_with_nan_for_missing(values: Any) -> None:
    assert_array_equal(numbers(values, "a"), np.array([1.5, np.nan, 3.0], np.float32))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([True, False, None]), [1.0, 0.0, np.nan]),
        ([True, 2], [1.0, 2.0]),
        (pa.nulls(2), [np.nan, np.nan]),
        (pa.array([2**64 - 1], pa.uint64()), [float(np.float32(2**64))]),
        ([2**64, 1], [float(2**64), 1.0]),
    ],
    ids=["booleans", "booleans among numbers", "nulls", "unsigned", "beyond 64 bits"],
)
def test_what_counts_as_a_number(values: Any, expected: list[float]) -> None:
    assert_array_equal(numbers(values, "a"), np.array(expected, np.float32))


REFUSALS: dict[str, tuple[Encoder, Any, str]] = {
    "fraction as id": (IDS, pa.table({"a": [1.0, 12.5]}), f"column 'a' holds 12.5 at row 2; {WHOLE}"),
    "fraction in a later chunk": (
        IDS,
        pa.table({"a": pa.chunked_array([[1.0, 2.0], [3.0, 12.5]])}),
        f"column 'a' holds 12.5 at row 4; {WHOLE}",
    ),
    "fraction in a slice": (IDS, pa.table({"a": [0.5, 1.0, 12.5]})[1:], f"column 'a' holds 12.5 at row 2; {WHOLE}"),
    "fraction in pandas": (IDS, pd.DataFrame({"a": [1.0, np.nan, 12.5]}), f"holds 12.5 at row 3; {WHOLE}"),
    "text as id": (IDS, [{"a": "x"}], "column 'a' holds 'x' at row 1; dtype \"int64\" takes decimal integers"),
    "lone surrogate": (TEXT, [{"a": "b"}, {"a": "\ud800"}], "holds '\\ud800' at row 2; text must have a UTF-8 form"),
    "date": (TEXT, pd.DataFrame({"a": [pd.Timestamp("2026-07-01")]}), "a categorical feature takes no timestamp"),
    "list as id": (IDS, [{"a": [1]}], "column 'a' holds [1] at row 1; a categorical feature takes no list"),
    "fraction in a list": (BAG, [{"a": [1, 2, 3]}, {"a": None}, {"a": [4, 5.5]}], f"holds 5.5 at row 3; {WHOLE}"),
    "fraction in a sliced list": (
        BAG,
        pa.table({"a": [[0.5], [1.0, 2.0], [3.0, 5.5]]})[1:],
        f"column 'a' holds 5.5 at row 2; {WHOLE}",
    ),
    "fraction in chunks of lists": (
        BAG,
        pa.table({"a": pa.chunked_array([[[1.0, 2.0]], [[3.0], [5.5]]])}),
        f"column 'a' holds 5.5 at row 3; {WHOLE}",
    ),
    "fraction beyond max length": (BAG, [{"a": [1]}, {"a": [1.0, 2.0, 3.0, 5.5]}], f"holds 5.5 at row 2; {WHOLE}"),
    "text in a list": (BAG, [{"a": ["1", "2"]}, {"a": ["x"]}], "column 'a' holds 'x' at row 2; dtype \"int64\" takes"),
    "text in polars lists": (BAG, pl.DataFrame({"a": [["1", "2"], ["3", "x"]]}), "column 'a' holds 'x' at row 2; "),
    "bytes in lists": (BAG, pa.table({"a": [[], [b"1", b"2"]]}), "column 'a' holds b'1' at row 2; dtype \"int64\""),
    "bytes views in lists": (
        BAG,
        pa.table({"a": pa.array([[], [b"1"]], pa.list_(pa.binary_view()))}),
        "column 'a' holds b'1' at row 2; dtype \"int64\"",
    ),
    "mixed list": (BAG, [{"a": [1, "2"]}, {"a": [3, "x"]}], "column 'a' holds 'x' at row 2; dtype \"int64\" takes"),
    "surrogate in a list": (TEXT_BAG, [{"a": ["b", "c"]}, {"a": ["\ud800"]}], "holds '\\ud800' at row 2; text must"),
    "list in a list": (TEXT_BAG, [{"a": ["b"]}, {"a": [["c"]]}], "column 'a' holds ['c'] at row 2; a categorical"),
    "value for a list": (BAG, [{"a": 1}], "column 'a' holds int64; a bag takes lists"),
    "value among lists": (BAG, [{"a": [1]}, {"a": 2}], "column 'a' holds 2 at row 2; a bag takes lists"),
    "text for a list": (TEXT_BAG, pl.DataFrame({"a": ["b,c"]}), "; a bag takes lists"),
    "text as number": (NUMBER, [{"a": "12"}], "column 'a' holds string; numbers expected"),
    "text among numbers": (NUMBER, [{"a": 1}, {"a": "12"}], "column 'a' holds '12' at row 2; numbers expected"),
    "date as number": (NUMBER, pd.DataFrame({"a": [pd.Timestamp("2026-07-01")]}), "; numbers expected"),
    "list as number": (NUMBER, [{"a": [1.0]}], "column 'a' holds list<item: double>; numbers expected"),
    "infinity": (NUMBER, [{"a": 1.0}, {"a": np.inf}], "column 'a' holds inf at row 2; finite 32-bit numbers expected"),
    "beyond float32": (NUMBER, [{"a": -1e39}], "column 'a' holds -1e+39 at row 1; finite 32-bit numbers expected"),
    "beyond float64": (NUMBER, [{"a": 1}, {"a": -(10**400)}], "column 'a' holds -inf at row 2; finite 32-bit numbers"),
    "infinity in a later chunk": (
        NUMBER,
        pa.table({"a": pa.chunked_array([[1.0], [2.0, np.inf]])}),
        "column 'a' holds inf at row 3; finite",
    ),
    "negative under log1p": (
        LOGGED,
        [{"a": 0}, {"a": None}, {"a": -0.5}],
        "column 'a' holds -0.5 at row 3; its transform log1p takes numbers of 0 and above",
    ),
    "missing column": (IDS, [{"b": 1}], "column 'a' is missing (columns the schema does not know: 'b')"),
    "no rows": (IDS, [], "rows must hold at least one row, got none"),
}


@pytest.mark.parametrize(("encoder", "rows", "message"), REFUSALS.values(), ids=REFUSALS)
def test_wrong_rows_are_refused_with_column_and_row(encoder: Encoder, rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        encoder.encode(rows)
    assert len(str(caught.value).splitlines()) == 1


def test_large_row_numbers_are_grouped() -> None:
    with pytest.raises(DataError, match=r"holds 0\.5 at row 1,001; "):
        IDS.encode(pa.table({"a": [*map(float, range(1000)), 0.5]}))
