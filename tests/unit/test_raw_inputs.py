"""Rows that come as one tensor for each feature are encoded like the same rows as dicts."""

from typing import Any

import numpy as np
import pytest
from artefacts.raw import LOWEST, Values, raw_tensor, raw_tensors, texts_of
from artefacts.runs import FEATURES, ITEM, PLACE, TITLE, WEIGHTED, WORD, make_rows, make_schema, make_schema_of
from numpy.typing import NDArray

from polyrank.encoder import Batch, Encoder
from polyrank.errors import DataError
from polyrank.raw_inputs import RawEncoder, RawInput, raw_inputs, serialized
from polyrank.schema import Schema
from polyrank.table import TensorLayout

SCHEMA = make_schema_of(
    ITEM,
    WORD,
    '{ name = "liked", kind = "bag", max_length = 3, shares = "item", weights = "shares" }',
    '{ name = "tags", kind = "bag", max_length = 3, shares = "word" }',
    '{ name = "price", kind = "numeric" }',
    PLACE,
)
TYPES = {each.name: each.datatype for each in raw_inputs(SCHEMA)}


def encoded(**values: Values) -> Batch:
    return RawEncoder(SCHEMA).encode({name: raw_tensor(TYPES[name], each) for name, each in values.items()})


def as_dicts(*rows: dict[str, Any], schema: Schema = SCHEMA) -> Batch:
    absent = dict.fromkeys(schema.feature_columns)
    return Encoder(schema).encode([absent | row for row in rows])


def same(found: Batch, expected: Batch) -> None:
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.dense, expected.dense)
    np.testing.assert_array_equal(found.weights, expected.weights)


@pytest.mark.parametrize("features", FEATURES)
def test_every_kind_is_encoded_like_dicts(features: str) -> None:
    schema, rows = make_schema(features), make_rows(60)
    rows[3] |= {"tags": ["x", None, "y"], "history": [None, 7], "shares": [0.5, None]}
    same(RawEncoder(schema).encode(raw_tensors(schema, rows)), Encoder(schema).encode(rows))


def test_inputs_are_described_in_the_order_of_features() -> None:
    assert raw_inputs(make_schema_of(ITEM, WEIGHTED, TITLE, PLACE)) == (
        RawInput(name="item", datatype="INT64"),
        RawInput(name="history", datatype="INT64", rows="list", width=None),
        RawInput(name="shares", datatype="FP32", rows="list", width=None, weighs="history"),
        RawInput(name="title", datatype="BYTES"),
        RawInput(name="place", datatype="FP32", rows="vector", width=3),
    )


def test_feature_without_a_column_has_no_tensor() -> None:
    assert [each.name for each in raw_inputs(make_schema("crosses"))] == ["item", "word"]
    assert "near" not in [each.name for each in raw_inputs(make_schema("neighbours"))]


def test_tensor_that_was_not_sent_is_missing_in_every_row() -> None:
    same(encoded(item=[[5], [6]]), as_dicts({"item": 5}, {"item": 6}))


def test_single_values_are_what_they_are_among_dicts() -> None:
    same(encoded(word=[[""], ["b"]], item=[[-1], [0]]), as_dicts({"word": "", "item": -1}, {"word": "b", "item": 0}))


def test_missing_single_values_are_marked() -> None:
    found = encoded(word=[["\0"], ["b"]], item=[[3], [LOWEST]], price=[[np.nan], [2.0]])
    same(found, as_dicts({"item": 3}, {"word": "b", "price": 2.0}))


def test_padding_of_lists_does_not_count() -> None:
    found = encoded(tags=[["a", "", ""], ["", "", ""]], liked=[[7, 8, -1], [-1, -1, -1]], shares=[[1, 0.5, 0], [0] * 3])
    expected = as_dicts({"tags": ["a"], "liked": [7, 8], "shares": [1, 0.5]}, {})
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.weights[0], expected.weights[0])  # type: ignore[index]


def test_weight_of_zero_is_kept_where_the_bag_has_a_value() -> None:
    same(encoded(liked=[[7, 8]], shares=[[1, 0]]), as_dicts({"liked": [7, 8], "shares": [1.0, 0.0]}))


def test_padding_in_front_of_a_sequence_is_skipped_over() -> None:
    schema = make_schema_of(ITEM, '{ name = "seen", kind = "sequence", max_length = 2, shares = "item" }')
    found = RawEncoder(schema).encode({"seen": raw_tensor("INT64", [[-1, -1, 5, 6]])})
    same(found, as_dicts({"seen": [5, 6]}, schema=schema))


def test_list_longer_than_its_slots_keeps_its_head() -> None:
    same(encoded(tags=[["a", "b", "c", "d"]]), as_dicts({"tags": ["a", "b", "c"]}))


def test_empty_tensor_of_lists_is_missing() -> None:
    same(encoded(tags=[[], []]), as_dicts({}, {}))


def test_bytes_may_come_as_objects() -> None:
    texts = np.array([[b"a"], [b"\xc3\xa9"]], np.object_)
    same(RawEncoder(SCHEMA).encode({"word": texts}), as_dicts({"word": "a"}, {"word": "é"}))


def test_long_text_is_a_value() -> None:
    same(encoded(word=[["x" * 3_000_000]]), as_dicts({"word": "x" * 3_000_000}))


REFUSED = {
    "infinite number": ({"price": [[1], [np.inf]]}, r"^column 'price' holds inf at row 2; finite 32-bit numbers"),
    "half a vector": ({"place": [[1, np.nan, 3]]}, r"^column 'place' lacks number 2 of its vector at row 1; a vector"),
    "text that is not utf-8": ({"word": [["a"], [b"\xff"]]}, r"^column 'word': the text at row 2 is not UTF-8$"),
    "bag without its weights": (
        {"liked": [[7, 8]]},
        r"^column 'shares' holds 0 weights at row 1; as many as 'liked' has values expected, 2$",
    ),
    "weight too many": (
        {"liked": [[7, -1]], "shares": [[1, 2]]},
        r"^column 'shares' holds 2 weights at row 1; as many",
    ),
    "other number of rows": ({"item": [[1], [2]], "word": [["a"]]}, r"^tensor 'word' must have shape \[2, 1\], got "),
    "too wide": ({"item": [[1, 2]]}, r"^tensor 'item' must have shape \[1, 1\], got \[1, 2\]$"),
    "vector of another length": ({"place": [[1, 2]]}, r"^tensor 'place' must have shape \[1, 3\], got \[1, 2\]$"),
    "no tensor": ({}, r"^a request needs one tensor at least, of item, word, liked, shares, tags, price, place$"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_tensors_are_refused_with_column_and_row(values: dict[str, Values], message: str) -> None:
    with pytest.raises(DataError, match=message):
        encoded(**values)


CONTENTS = {
    "too few texts": (b"\1\0\0\0a", r"^column 'word': 2 elements expected, got 1$"),
    "too many texts": (b"\1\0\0\0a" * 3, r"^column 'word': 2 elements expected, got more$"),
    "text beyond the end": (b"\1\0\0\0a\xff\0\0\0b", r"^column 'word': element 2 reaches beyond the tensor$"),
}


@pytest.mark.parametrize(("content", "message"), CONTENTS.values(), ids=CONTENTS)
def test_damaged_content_is_refused(content: bytes, message: str) -> None:
    tensor = texts_of(content, (2, 1))
    with pytest.raises(DataError, match=message):
        RawEncoder(SCHEMA).encode({"word": tensor})


TYPES_OF_OTHERS: dict[str, tuple[str, NDArray[Any], str]] = {
    "wide for narrow": ("price", np.ones((2, 1)), "float32, got float64"),
    "float for integer": ("item", np.array([[5.0]]), "int64, got float64"),
    "integer for float": ("price", np.ones((2, 1), np.int32), "float32, got int32"),
    "bytes for texts": ("word", np.zeros((1, 1), np.uint8), "objects of type bytes, got uint8"),
    "integer for texts": ("word", np.zeros((1, 1), np.int64), "objects of type bytes, got int64"),
    "texts for integer": ("item", texts_of(b"\1\0\0\0a", (1, 1)), "int64, got texts"),
}


@pytest.mark.parametrize(("name", "tensor", "message"), TYPES_OF_OTHERS.values(), ids=TYPES_OF_OTHERS)
def test_tensor_of_another_type_is_refused(name: str, tensor: NDArray[Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^tensor '{name}' must be {message}$"):
        RawEncoder(SCHEMA).encode({name: tensor})


SHAPES = {
    "product that wraps": ((16, 2**60), r"column 'tags': must have fewer than 2\*\*61 elements, got shape \[16, 115"),
    "no content": ((16, 2**32), r"column 'tags': 68719476736 elements expected, got 0"),
    "rows below 0": ((-1, 1), r"tensor 'tags' must have shape \[any, any\], got \[-1, 1\]"),
    "width below 0": ((1, -1), r"tensor 'tags' must have shape \[1, any\], got \[1, -1\]"),
}


@pytest.mark.parametrize(("shape", "message"), SHAPES.values(), ids=SHAPES)
def test_shape_of_texts_that_cannot_be_is_refused(shape: tuple[int, int], message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}"):
        RawEncoder(SCHEMA).encode({"tags": texts_of(b"", shape)})


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match=r"^rows must hold at least one row, got none$"):
        RawEncoder(SCHEMA).encode({"item": np.zeros((0, 1), np.int64)})


def test_texts_are_written_as_triton_does() -> None:
    found = serialized(np.array([[b"ab", b""]], np.object_))
    assert (found.tobytes(), found.texts_shape) == (b"\2\0\0\0ab\0\0\0\0", (1, 2))


def test_tensor_of_no_feature_is_refused() -> None:
    with pytest.raises(DataError, match=r"^tensor 'wrod' is of no feature$"):
        RawEncoder(SCHEMA).encode({"wrod": np.zeros((1, 1), np.int64)})


DESCRIBED = {
    "type": (("a", "BOOL", "value", 1, None), "^type must be BYTES, INT64 or FP32, got BOOL$"),
    "rows": (("a", "FP32", "row", 1, None), "^rows must be value, list or vector, got row$"),
    "weighed": (("a", "FP32", "list", 1, 1), r"^weighed must be the index of a list .*, in \[0, 1\), got 1$"),
    "weighs itself": (("a", "FP32", "list", 1, 0), r"^weighed must be the index of a list that weighs none, .* got 0$"),
}


@pytest.mark.parametrize(("column", "message"), DESCRIBED.values(), ids=DESCRIBED)
def test_column_is_described_in_known_words(column: tuple[str, str, str, int, int | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TensorLayout([column])


def test_weighed_column_of_single_values_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^weighed must be the index of a list that weighs none, in \[0, 2\), got 0$"):
        TensorLayout([("a", "INT64", "value", 1, None), ("w", "FP32", "list", 1, 0)])


def test_tensor_with_gaps_is_refused() -> None:
    with pytest.raises(DataError, match=r"^tensor 'item' must be contiguous \(copy it with numpy\.asconti"):
        RawEncoder(SCHEMA).encode({"item": np.zeros((4, 1), np.int64)[::2]})
