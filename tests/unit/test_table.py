import pickle
import re
import threading
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from reference import fingerprint_v1 as reference

from polyrank.errors import DataError
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

USER = CategoricalGroup(field=Field(name="user", dtype="int64"))
WORD = CategoricalGroup(field=Field(name="word", dtype="text", missing=("-",)))
TAGS = BagGroup(field=Field(name="tags", dtype="text"), max_length=3)
WEIGHTED = BagGroup(field=Field(name="tags", dtype="text"), max_length=2, weights="weights")
CROSS = CrossGroup(parts=(Field(name="user", dtype="int64"), Field(name="word", dtype="text")))
NGRAMS = NGramGroup(field=Field(name="word", dtype="text", missing=("-",)), sizes=(1, 2), max_length=4)
AGE = NumberGroup(name="age")
VECTOR = VectorGroup(name="v", dim=3)
PRICE = NumberGroup(name="price", log1p=True)
GROUPS: list[Group] = [USER, TAGS, AGE, CROSS, WEIGHTED, NGRAMS, PRICE, WORD]
TABLE = TableEncoder(GROUPS, threads=1)

ROWS: list[dict[str, Any]] = [
    {"user": 46, "word": "New York", "tags": ["a", "b", "c", "d"], "weights": [1.0, None, 3, 4], "age": 3, "price": 0},
    {"user": None, "word": "-", "tags": [], "weights": [], "age": None, "price": 2.5},
    {"user": -7, "word": None, "tags": None, "weights": None, "age": True, "price": None},
    {"user": 9, "word": "", "tags": [None, "x"], "weights": [0.5, 2.5], "age": 1.5, "price": float("nan")},
]
ARROW = pa.schema(
    {
        "user": pa.int64(),
        "word": pa.string(),
        "tags": pa.list_(pa.string()),
        "weights": pa.list_(pa.float32()),
        "age": pa.float64(),
        "price": pa.float32(),
    }
)


def padded(values: list[int], size: int) -> list[int]:
    return [*values, *[-1] * size][:size]


def expected_ids(row: dict[str, Any]) -> list[int]:
    text = None if row["word"] in (None, "-") else row["word"]
    tags = [reference.fingerprint(tag, "text") for tag in row["tags"] or []]
    return [
        reference.fingerprint(row["user"], "int64"),
        *padded(tags, 3),
        reference.cross([(row["user"], "int64"), (row["word"], "text")]),
        *padded(tags, 2),
        *padded([] if text is None else reference.ngrams(text, [1, 2]), 4),
        reference.fingerprint(text, "text"),
    ]


def table(rows: list[dict[str, Any]] = ROWS) -> pa.Table:
    return pa.Table.from_pylist(rows, ARROW)


FORMS: dict[str, Any] = {
    "table": table(),
    "record batch": table().to_batches()[0],
    "sliced batch": pa.concat_tables([table(), table()]).combine_chunks().to_batches()[0].slice(4),
    "chunks": pa.concat_tables([table()[:1], table()[1:1], table()[1:]]),
    "reader": table().to_reader(),
    "polars": pl.DataFrame(pl.from_arrow(table())),
    "pandas": table().to_pandas().astype({"user": "Int64"}),
    "dicts": ROWS,
    "tuple of dicts": tuple(ROWS),
    "large types": table().cast(
        pa.schema([*map(ARROW.field, [0])])
        .append(pa.field("word", pa.large_string()))
        .append(pa.field("tags", pa.large_list(pa.large_string())))
        .append(pa.field("weights", pa.large_list(pa.float64())))
        .append(pa.field("age", pa.float32()))
        .append(pa.field("price", pa.float64()))
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_what_the_reference_says(form: str) -> None:
    rows = table().to_reader() if form == "reader" else FORMS[form]
    ids, weights, dense = TABLE.encode(rows)
    assert ids.tolist() == [expected_ids(row) for row in ROWS]
    assert weights is not None
    assert weights.tolist() == [[1, 0], [0, 0], [0, 0], [0.5, 2.5]]
    assert_array_equal(dense, np.array([[3, 0], [np.nan, 2.5], [1, np.nan], [1.5, np.nan]], np.float32))


def test_reader_with_an_empty_batch_of_views_is_read() -> None:
    words = pa.array(["x"] * 9, pa.string_view())
    reader = pa.table({"word": pa.chunked_array([words[5:5], words[:2]])}).to_reader()
    assert TableEncoder([WORD]).encode(reader)[0].tolist() == [[reference.fingerprint("x", "text")]] * 2


def test_columns_that_mix_types_are_read_beside_the_others() -> None:
    rows = pd.DataFrame([ROWS[0] | {"user": "46"}, *ROWS[1:]]).astype(object)
    assert TABLE.encode(rows)[0].tolist() == [expected_ids(row) for row in ROWS]


def test_decimals_are_numbers() -> None:
    decimals = pa.table({"price": pa.array([1, None, 3]).cast(pa.decimal128(21, 2)), "age": [1, 2, 3]})
    _, _, dense = TableEncoder([PRICE, AGE]).encode(decimals)
    assert_array_equal(dense, np.array([[1, 1], [np.nan, 2], [3, 3]], np.float32))


@pytest.mark.parametrize("kind", [pa.list_(pa.int64(), 2), pa.list_view(pa.int64()), pa.large_list_view(pa.int32())])
def test_layouts_of_lists_agree(kind: pa.DataType) -> None:
    lists = [[0, 0], [1, 2], None, [3, 4]]
    bag = BagGroup(field=Field(name="a", dtype="int64"), max_length=2)
    ids, _, _ = TableEncoder([bag]).encode(pa.table({"a": pa.array(lists, kind)})[1:])
    assert ids.tolist() == [padded([reference.fingerprint(v, "int64") for v in row or []], 2) for row in lists[1:]]


def test_list_views_may_overlap_and_run_backwards() -> None:
    views = pa.ListViewArray.from_arrays(pa.array([2, 0, 1], pa.int32()), pa.array([1, 3, 2], pa.int32()), [5, 6, 7])
    bag = BagGroup(field=Field(name="a", dtype="int64"), max_length=3)
    ids, _, _ = TableEncoder([bag]).encode(pa.table({"a": views}))
    expected = [[7], [5, 6, 7], [6, 7]]
    assert ids.tolist() == [padded([reference.fingerprint(v, "int64") for v in row], 3) for row in expected]


def test_values_under_a_null_list_are_not_read() -> None:
    lists = pa.ListArray.from_arrays(
        pa.array([0, 1, 2, 3]), pa.array([1.0, 0.5, 3.0]), mask=pa.array([False, True, False])
    )
    bag = BagGroup(field=Field(name="a", dtype="int64"), max_length=1)
    ids, _, _ = TableEncoder([bag]).encode(pa.table({"a": lists}))
    assert ids[:, 0].tolist() == [reference.fingerprint(v, "int64") for v in (1, None, 3)]


def test_huge_max_length_pads() -> None:
    bag = BagGroup(field=Field(name="a", dtype="int64"), max_length=1_000_000)
    ids, _, _ = TableEncoder([bag]).encode(pa.table({"a": [[1], None]}))
    assert ids.shape == (2, 1_000_000)
    assert (ids == -1).sum() == ids.size - 1


VECTORS = [[1.0, 2.0, 3.0], None, [4.0, 5.0, 6.0], [-0.5, 0.0, 1e30]]
VECTOR_FORMS: dict[str, Any] = {
    "list": pa.array(VECTORS, pa.list_(pa.float32())),
    "list of doubles": pa.array(VECTORS, pa.list_(pa.float64())),
    "large list": pa.array(VECTORS, pa.large_list(pa.float32())),
    "list view": pa.array(VECTORS, pa.list_view(pa.float32())),
    "fixed size list": pa.array(VECTORS, pa.list_(pa.float32(), 3)),
    "fixed size list of doubles": pa.array(VECTORS, pa.list_(pa.float64(), 3)),
    "slice": pa.array([[9.0, 9.0, 9.0], *VECTORS, None], pa.list_(pa.float32(), 3))[1:5],
    "chunks": pa.chunked_array([VECTORS[:1], VECTORS[1:2], VECTORS[2:]], pa.list_(pa.float32())),
    "dicts of lists": VECTORS,
    "dicts of tuples": [v and tuple(v) for v in VECTORS],
    "dicts of arrays": [v and np.array(v, np.float32) for v in VECTORS],
    "dicts of wide arrays": [v and np.array(v) for v in VECTORS],
    "dicts of reversed arrays": [v and np.array(v[::-1])[::-1] for v in VECTORS],
    "dicts of both": [[1, 2.0, np.float32(3)], float("nan"), np.array([4, 5, 6]), VECTORS[3]],
    "pandas": pd.Series([v and np.array(v) for v in VECTORS], dtype=object),
    "polars": pl.Series(VECTORS, dtype=pl.List(pl.Float32)),
    "polars array": pl.Series(VECTORS, dtype=pl.Array(pl.Float64, 3)),
}


@pytest.mark.parametrize("form", VECTOR_FORMS)
def test_every_form_of_a_vector_is_its_columns(form: str) -> None:
    vectors = VECTOR_FORMS[form]
    expected = np.array([[1, 2, 3], [np.nan] * 3, [4, 5, 6], [-0.5, 0, 1e30]], np.float32)
    frames = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "polars array": pl.DataFrame}
    rows = [{"v": v, "age": 7} for v in vectors] if isinstance(vectors, list) else None
    table = frames.get(form, pa.table)({"v": vectors, "age": [7] * 4}) if rows is None else rows
    _, _, dense = TableEncoder([AGE, VectorGroup(name="v", dim=3), AGE]).encode(table)
    assert_array_equal(dense, np.hstack([np.full((4, 1), 7), expected, np.full((4, 1), 7)]).astype(np.float32))


def test_vectors_of_decimals_are_read() -> None:
    column = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.decimal128(9, 1)))
    _, _, dense = TableEncoder([VectorGroup(name="v", dim=2)]).encode(pa.table({"v": column}))
    assert_array_equal(dense, np.array([[1, 2], [np.nan, np.nan], [3, 4]], np.float32))


def test_vectors_do_not_depend_on_threads() -> None:
    values = np.random.default_rng(0).normal(size=(70_000, 4)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(values.ravel(), 4)
    for threads in (1, 2):
        _, _, dense = TableEncoder([VectorGroup(name="v", dim=4)], threads).encode(pa.table({"v": column}))
        assert_array_equal(dense, values)


@pytest.mark.parametrize("form", ["table", "dicts", "pandas"])
def test_caller_may_give_the_arrays(form: str) -> None:
    out: Arrays = np.empty((4, 12), np.int64), np.empty((4, 2), np.float32), np.empty((4, 2), np.float32)
    ids, weights, dense = TABLE.encode(FORMS[form], out)
    assert (ids is out[0], weights is out[1], dense is out[2]) == (True, True, True)
    assert ids.tolist() == [expected_ids(row) for row in ROWS]


WRONG_OUT: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "dtype": (np.empty((4, 2), np.int32), np.empty((4, 1), np.float32), TypeError, "out.ids must be a numpy array of"),
    "shape": (
        np.empty((3, 2), np.int64),
        np.empty((4, 1), np.float32),
        ValueError,
        "out.ids must have shape [4, 2], got [3, 2]",
    ),
    "dense": (np.empty((4, 2), np.int64), np.empty((4, 2), np.float32), ValueError, "out.dense must have shape [4, 1]"),
    "order": (
        np.empty((2, 4), np.int64).T,
        np.empty((4, 1), np.float32),
        ValueError,
        "out.ids must be contiguous and aligned",
    ),
    "read only": (
        np.broadcast_to(np.int64(0), (4, 2)).copy(),
        np.empty((4, 1), np.float32),
        ValueError,
        "out.ids must be writable",
    ),
}
WRONG_OUT["read only"][0].setflags(write=False)


@pytest.mark.parametrize(("ids", "dense", "error", "message"), WRONG_OUT.values(), ids=WRONG_OUT)
@pytest.mark.parametrize("form", ["table", "dicts"])
def test_arrays_that_do_not_fit_are_refused(
    form: str, ids: Any, dense: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        TableEncoder([USER, WORD, AGE]).encode(FORMS[form], (ids, None, dense))


REFUSALS: dict[str, tuple[Group, Any, str]] = {
    "fraction in a later chunk": (
        USER,
        pa.table({"user": pa.chunked_array([[1.0], [2.0, 0.5]])}),
        "column 'user' holds 0.5 at row 3; whole numbers expected",
    ),
    "fraction in a cross": (CROSS, [{"user": 0.5, "word": "x"}], "column 'user' holds 0.5 at row 1; whole numbers"),
    "not UTF-8": (
        NGRAMS,
        pa.table({"word": pa.array([b"a", None, b"\xff"])}),
        "column 'word' holds b'\\xff' at row 3; text of an n-gram feature must be UTF-8",
    ),
    "not UTF-8 in dicts": (
        NGRAMS,
        [{"word": "a"}, {"word": b"\xff"}],
        "column 'word' holds b'\\xff' at row 2; text of",
    ),
    "negative under log1p": (PRICE, [{"price": 1}, {"price": -2}], "column 'price' holds -2.0 at row 2; its transform"),
    "too few weights": (
        WEIGHTED,
        [{"tags": ["a"], "weights": [1]}, {"tags": ["a", "b"], "weights": [1]}],
        "column 'weights' holds 1 weights at row 2; as many as 'tags' has values expected, 2",
    ),
    "infinite weight": (
        WEIGHTED,
        pa.table({"tags": [["a"], ["b"]], "weights": [[1.0], [np.inf]]}),
        "column 'weights' holds inf at row 2; finite 32-bit numbers expected",
    ),
    "infinite weight behind the last slot": (
        WEIGHTED,
        pa.table({"tags": [["a"] * 3], "weights": [[1.0, 2.0, np.inf]]}),
        "column 'weights' holds inf at row 1; finite 32-bit numbers expected",
    ),
    "infinite weight behind the last slot in dicts": (
        WEIGHTED,
        [{"tags": ["a"] * 3, "weights": [1.0, 2.0, float("inf")]}],
        "column 'weights' holds inf at row 1; finite 32-bit numbers expected",
    ),
    "weights that are no lists": (
        WEIGHTED,
        [{"tags": ["a"], "weights": 1}],
        "column 'weights' holds int64; weights are",
    ),
    "short vector": (
        VECTOR,
        [{"v": [1, 2, 3]}, {"v": [1, 2]}],
        "column 'v' holds a vector of 2 numbers at row 2; 3 expected",
    ),
    "empty vector": (VECTOR, pa.table({"v": [[1, 2, 3], []]}), "holds a vector of 0 numbers at row 2; 3 expected"),
    "long vector of fixed size": (
        VECTOR,
        pa.table({"v": pa.array([None, [1, 2, 3, 4]], pa.list_(pa.int8(), 4))}),
        "column 'v' holds a vector of 4 numbers at row 2; 3 expected",
    ),
    "short array": (VECTOR, [{"v": np.zeros(2)}], "column 'v' holds a vector of 2 numbers at row 1; 3 expected"),
    "vector of vectors": (VECTOR, [{"v": np.zeros((3, 1))}], "column 'v' holds array([0.]) at row 1; numbers expected"),
    "number missing in a vector": (
        VECTOR,
        pa.table({"v": [[1, 2, 3], None, [1, None, 3]]}),
        "column 'v' lacks number 2 of its vector at row 3; a vector is whole, or missing as a whole",
    ),
    "NaN in an array": (VECTOR, [{"v": np.array([1, 2, np.nan])}], "column 'v' lacks number 3 of its vector at row 1"),
    "infinity in a vector": (
        VECTOR,
        pa.table({"v": pa.array([[1.0, 2, 3], [1, 2, np.inf]], pa.list_(pa.float32(), 3))}),
        "column 'v' holds inf at row 2; finite 32-bit numbers expected",
    ),
    "text in a vector": (VECTOR, [{"v": [1, 2, "x"]}], "column 'v' holds 'x' at row 1; numbers expected"),
    "number for a vector": (VECTOR, [{"v": 1.0}], "column 'v' holds double; a vector takes lists"),
    "bytes for a vector": (VECTOR, [{"v": b"abc"}], "column 'v' holds binary; a vector takes lists"),
    "date in a cross": (CROSS, pa.table({"user": [1], "word": pa.array([1], pa.date32())}), "takes no date32"),
}


@pytest.mark.parametrize(("group", "rows", "message"), REFUSALS.values(), ids=REFUSALS)
def test_wrong_value_is_refused_with_column_and_row(group: Group, rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        TableEncoder([group]).encode(rows)


def test_table_that_contradicts_itself_is_refused_with_its_column() -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 1], np.int32)), pa.py_buffer(b"ab")]
    )
    with pytest.raises(DataError, match=r"^column 'word': arrow array: offsets must start at 0 or above"):
        TableEncoder([WORD]).encode(pa.table({"word": broken}))


def test_refused_value_wins_in_row_order_whatever_the_threads() -> None:
    values = np.arange(400_000, dtype=np.float64)
    values[[123_456, 399_999]] += 0.5
    for threads in (1, 2, 5):
        with pytest.raises(DataError, match=r"holds 123456\.5 at row 123,457; "):
            TableEncoder([USER], threads).encode(pa.table({"user": values}))


@pytest.fixture(scope="module")
def large() -> pa.Table:
    return pa.concat_tables([table(ROWS * size).combine_chunks() for size in (7000, 1, 300)])


def test_threads_do_not_change_the_arrays(large: pa.Table) -> None:
    one, two = TABLE.encode(large), TableEncoder(GROUPS, threads=2).encode(large)
    for left, right in zip(one, two, strict=True):
        assert_array_equal(left, right)


def test_one_encoder_serves_many_threads(large: pa.Table) -> None:
    shared, expected = TableEncoder(GROUPS, threads=2), [expected_ids(row) for row in ROWS]
    wrong: list[str] = []

    def work(kind: int) -> None:
        rows: Any = ROWS * 50 if kind % 2 else large[: 4 * (kind + 1) * 50]
        for _ in range(5):
            ids, _, _ = shared.encode(rows)
            if ids.tolist() != expected * (len(rows) // 4):
                wrong.append(f"thread {kind}")

    threads = [threading.Thread(target=work, args=(kind,)) for kind in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_large_arrays_are_aligned_to_huge_pages() -> None:
    ids, _, _ = TableEncoder([USER]).encode(pa.table({"user": np.zeros(2**19, np.int64)}))
    assert ids.ctypes.data % 2**21 == 0


def test_encoder_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(TABLE)).encode(ROWS)[0].tolist() == TABLE.encode(ROWS)[0].tolist()  # noqa: S301
