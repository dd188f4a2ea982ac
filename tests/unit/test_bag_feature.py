import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from polyrank.encoder import Batch, Encoder, slot_layout
from polyrank.errors import DataError, SchemaError
from polyrank.features import BagFeature, CategoricalFeature
from polyrank.schema import Schema
from polyrank.signature import Slot, weights_of
from polyrank.tasks import BinaryTask

TABLE: dict[str, Any] = {"dtype": "text", "num_buckets": 9, "max_length": 3}
USER = CategoricalFeature(name="user", dtype="int64", num_buckets=9)
PLAIN = BagFeature(name="tags", **TABLE)
WEIGHTED = BagFeature(name="tags", weights="shares", **TABLE)
SPLIT = BagFeature(name="tags", separator=",", **TABLE)
WRITTEN = BagFeature(name="tags", separator=",", weight_separator=":", **TABLE)
LISTS: list[list[str] | None] = [["a", "b:c"], [], None, ["", "d", "e", "f"]]
SHARES: list[list[float] | None] = [[0.5, -2.0], [], None, [1.0, 0.0, 3.0, 4.0]]
TEXTS = ["a,b:c", "", None, ",d,e,f"]
WEIGHTED_TEXTS = ["a:0.5,b:c:-2", "", None, ":1,d:0,e:3e0,f:4"]


def schema_of(*features: BagFeature | CategoricalFeature) -> Schema:
    return Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="is_click"),)).resolved()


def encode(feature: BagFeature, columns: dict[str, Any]) -> Batch:
    return Encoder(schema_of(feature)).encode(pa.table(columns))


def assert_equal(found: Batch, expected: Batch) -> None:
    assert_array_equal(found.ids, expected.ids)
    assert expected.weights is not None
    assert found.weights is not None
    assert_array_equal(found.weights, expected.weights)


def test_weights_follow_their_values() -> None:
    batch = encode(WEIGHTED, {"tags": LISTS, "shares": SHARES})
    assert_array_equal(batch.ids, encode(PLAIN, {"tags": LISTS}).ids)
    assert batch.weights is not None
    assert batch.weights.tolist() == [[0.5, -2.0, 0.0], [0.0] * 3, [0.0] * 3, [1.0, 0.0, 3.0]]


def test_weights_are_a_tensor_of_the_wire() -> None:
    batch = encode(WEIGHTED, {"tags": LISTS, "shares": SHARES})
    assert list(batch.named()) == ["ids", "weights"]
    assert list(encode(PLAIN, {"tags": LISTS}).named()) == ["ids"]


def test_rows_of_weights_are_picked_with_their_ids() -> None:
    picked = encode(WEIGHTED, {"tags": LISTS, "shares": SHARES})[np.array([3, 0])]
    assert picked.weights is not None
    assert picked.weights.tolist() == [[1.0, 0.0, 3.0], [0.5, -2.0, 0.0]]


def test_weights_lie_in_the_order_of_the_bags() -> None:
    other = BagFeature(name="other", weights="more", shares="tags", max_length=2)
    schema = schema_of(USER, other, PLAIN)
    assert [slots.first_weight for slots in slot_layout(schema)] == [None, 0, None]
    assert weights_of(schema_of(other, WEIGHTED)) == (
        Slot(feature="other", start=0, stop=2),
        Slot(feature="tags", start=2, stop=5),
    )


def test_weighted_bag_needs_both_columns() -> None:
    assert schema_of(WEIGHTED, USER).feature_columns == ("tags", "shares", "user")
    with pytest.raises(DataError, match=r"^column 'shares' is missing"):
        encode(WEIGHTED, {"tags": LISTS})


def test_weights_of_another_length_are_refused_by_row() -> None:
    with pytest.raises(DataError, match=r"^column 'shares' holds 2 weights at row 2; as many as 'tags' has values"):
        encode(WEIGHTED, {"tags": [["a"], ["b"]], "shares": [[1.0], [1.0, 2.0]]})


def test_buffer_of_the_caller_is_written() -> None:
    expected = encode(WEIGHTED, {"tags": LISTS, "shares": SHARES})
    out = Batch(np.empty((4, 3), np.int64), np.empty((4, 0), np.float32), np.empty((4, 3), np.float32))
    batch = Encoder(schema_of(WEIGHTED)).encode(pa.table({"tags": LISTS, "shares": SHARES}), out=out)
    assert batch.weights is out.weights
    assert_equal(out, expected)


FORMS: dict[str, Any] = {
    "arrow": lambda texts: pa.table({"tags": texts}),
    "views": lambda texts: pa.table({"tags": pa.array(texts, pa.string_view())}),
    "dictionary": lambda texts: pa.table({"tags": pa.array(texts).dictionary_encode()}),
    "polars categories": lambda texts: pl.DataFrame({"tags": pl.Series(texts, dtype=pl.Categorical)}),
    "chunks": lambda texts: pa.table({"tags": pa.chunked_array([texts[:1], texts[1:]])}),
    "pandas": lambda texts: pd.DataFrame({"tags": texts}),
    "dicts": lambda texts: [{"tags": text} for text in texts],
}


@pytest.mark.parametrize("form", FORMS)
def test_text_gives_what_the_same_lists_give(form: str) -> None:
    batch = Encoder(schema_of(SPLIT)).encode(FORMS[form](TEXTS))
    assert_array_equal(batch.ids, encode(PLAIN, {"tags": LISTS}).ids)


@pytest.mark.parametrize("form", FORMS)
def test_text_with_weights_gives_what_the_same_lists_give(form: str) -> None:
    batch = Encoder(schema_of(WRITTEN)).encode(FORMS[form](WEIGHTED_TEXTS))
    assert_equal(batch, encode(WEIGHTED, {"tags": LISTS, "shares": SHARES}))


@pytest.mark.parametrize("lists", [pa.array(LISTS), [*LISTS[:3], TEXTS[3]]])
def test_lists_may_take_the_place_of_text(lists: Any) -> None:
    rows = [{"tags": value} for value in (lists.to_pylist() if isinstance(lists, pa.Array) else lists)]
    assert_array_equal(Encoder(schema_of(SPLIT)).encode(rows).ids, encode(PLAIN, {"tags": LISTS}).ids)


@pytest.mark.parametrize("feature", [SPLIT, WRITTEN])
def test_column_of_nulls_is_all_empty(feature: BagFeature) -> None:
    assert (encode(feature, {"tags": pa.nulls(2)}).ids == -1).all()


def test_integers_in_text_are_hashed_as_integers() -> None:
    split, plain = (
        BagFeature(name="tags", dtype="int64", num_buckets=9, max_length=2, separator=separator)
        for separator in ("|", None)
    )
    assert_array_equal(encode(split, {"tags": ["39|68"]}).ids, encode(plain, {"tags": [[39, 68]]}).ids)


def test_text_columns_are_read_as_written() -> None:
    split = BagFeature(name="genres", dtype="int64", num_buckets=9, max_length=2, separator=",")
    assert schema_of(split, USER).text_columns == ("genres",)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["a:1", "b,c:1"],
            "column 'tags' holds 'b' at row 2; a value, ':' and a finite weight expected, as in 'a:0.3'",
        ),
        (["a:1", None, "b:1,c:x"], "column 'tags' holds 'c:x' at row 3; a value, ':' and a finite weight expected"),
        (["a:"], "column 'tags' holds 'a:' at row 1; a value, ':' and a finite weight expected"),
        (["a:nan"], "column 'tags' holds 'a:nan' at row 1; a value, ':' and a finite weight expected"),
        (["a:1e39"], "column 'tags' holds 'a:1e39' at row 1; a value, ':' and a finite weight expected"),
        ([7], "column 'tags' holds int64; text that separators cut expected"),
        ([["a:1"]], "column 'tags' holds list<"),
    ],
)
def test_text_without_weights_is_refused_by_row(texts: list[Any], message: str) -> None:
    with pytest.raises(DataError, match="^" + re.escape(message)):
        encode(WRITTEN, {"tags": texts})


@pytest.mark.parametrize("feature", [SPLIT, WRITTEN])
def test_value_among_texts_is_refused_by_row(feature: BagFeature) -> None:
    with pytest.raises(DataError, match=r"^column 'tags' holds 7 at row 2; text that separators cut expected$"):
        Encoder(schema_of(feature)).encode([{"tags": "a:1"}, {"tags": 7}])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"weights": "tags"}, "$.features[0].weights must name a column that is no feature, got 'tags' (fe"),
        ({"weights": ""}, "$.features[0].weights must name a column that is no feature, got ''"),
        ({"weights": "w", "separator": ","}, "$.features[0].weights must be left out with separator, got 'w'"),
        ({"separator": ""}, "$.features[0].separator must not be empty, got ''"),
        ({"weight_separator": ":"}, "$.features[0].weight_separator needs separator beside it, got ':'"),
        (
            {"weight_separator": ",", "separator": ","},
            "$.features[0].weight_separator must be text unlike separator, got ','",
        ),
        (
            {"weights": "w", "pooling": "max"},
            "$.features[0].pooling must be sum, mean or sqrtn with weights, got 'max' (feature 'tags')",
        ),
    ],
)
def test_wrong_bag_is_refused_with_its_path(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match="^" + re.escape(message)):
        schema_of(BagFeature(name="tags", **TABLE, **keys))


def test_feature_in_the_place_of_made_weights_is_refused() -> None:
    clash = CategoricalFeature(name="weights of tags", dtype="text", num_buckets=9)
    with pytest.raises(
        SchemaError, match=r"^\$\.features\[0\]\.name makes a column 'weights of tags', which is a feat"
    ):
        schema_of(WRITTEN, clash)


def test_label_as_weights_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"^\$\.tasks\[0\]\.label 'is_click' is also a feature"):
        schema_of(BagFeature(name="tags", weights="is_click", **TABLE))


@pytest.mark.parametrize("rows", [[{"tags": "a:1"}, {"tags": "a:x"}], [{"tags": "a:1"}, {"tags": "a:1,"}]])
def test_dict_without_a_weight_is_refused_by_row(rows: list[dict[str, str]]) -> None:
    with pytest.raises(DataError, match=r"at row 2; a value, ':' and a finite weight expected, as in 'a:0.3'$"):
        Encoder(schema_of(WRITTEN)).encode(rows)


@pytest.mark.parametrize("text", ["a:1e-3", "a:+0.5,b:.25", "a:123456789012", "a:-0.1,b:0.7", "::1", ""])
def test_dicts_give_the_weights_of_columns(text: str) -> None:
    encoder = Encoder(schema_of(WRITTEN))
    assert_equal(encoder.encode([{"tags": text}]), encoder.encode(pa.table({"tags": [text]})))


@pytest.mark.parametrize("feature", [SPLIT, WRITTEN])
def test_many_dicts_give_what_few_give(feature: BagFeature) -> None:
    encoder, rows = Encoder(schema_of(feature, USER)), [{"tags": text, "user": 7} for text in WEIGHTED_TEXTS]
    few, many = encoder.encode(rows), encoder.encode(rows * 100)
    assert_array_equal(many.ids, np.tile(few.ids, (100, 1)))


def test_dicts_stay_as_they_are() -> None:
    rows = [{"tags": "a,b"}]
    Encoder(schema_of(SPLIT)).encode(rows)
    assert rows == [{"tags": "a,b"}]


@pytest.mark.parametrize("feature", [SPLIT, WRITTEN])
def test_key_that_no_dict_has_is_named(feature: BagFeature) -> None:
    with pytest.raises(DataError, match=r"^column 'tags' is missing \("):
        Encoder(schema_of(feature)).encode([{"user": 7}])
