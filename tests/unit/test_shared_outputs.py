"""Results that are written over what they are computed from, in whole or in part."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.testing import assert_array_equal
from reference.arrow_memory import Memory

from polyrank.canonical import Dtype
from polyrank.encoder import Batch, Encoder
from polyrank.features import CategoricalFeature, NumericFeature
from polyrank.fingerprint import fingerprint
from polyrank.schema import Schema
from polyrank.table import BagGroup, CategoricalGroup, Field, NGramGroup, NumberGroup, TableEncoder, VectorGroup
from polyrank.tasks import BinaryTask

NUM_ROWS = 40
NUM_WORDS = 400
INTEGERS = [None if row % 7 == 3 else row * 0x0101_0101 for row in range(NUM_ROWS)]
TEXTS = [None if row is None else f"{row} and more than a view holds" for row in INTEGERS]
PLAIN = pa.array(range(NUM_ROWS))
COLUMNS: dict[str, tuple[Any, Dtype]] = {
    "int64": (PLAIN, "int64"),
    "int64 as text": (PLAIN, "text"),
    "int64 with nulls": (pa.array(INTEGERS), "int64"),
    "slice": (pa.array(INTEGERS)[5:], "int64"),
    "int32": (pa.array(INTEGERS, pa.int32()), "int64"),
    "uint64 as text": (pa.array(range(2**64 - NUM_ROWS, 2**64), pa.uint64()), "text"),
    "float64": (pa.array(INTEGERS, pa.float64()), "int64"),
    "float32": (pa.array(range(NUM_ROWS), pa.float32()), "int64"),
    "bool": (pa.array([row % 3 == 0 for row in range(NUM_ROWS)]), "text"),
    "string": (pa.array(TEXTS), "text"),
    "large_string": (pa.array(TEXTS, pa.large_string()), "text"),
    "string_view": (pa.array(TEXTS, pa.string_view()), "text"),
    "binary": (pa.array(TEXTS, pa.binary()), "text"),
    "binary of one width": (pa.array([b"0123456789ab"] * NUM_ROWS, pa.binary(12)), "text"),
    "binary of no width": (
        pa.Array.from_buffers(pa.binary(0), NUM_ROWS, [None, pa.py_buffer(b"x")]),
        "text",
    ),
    "decimal text": (pa.array([str(row) for row in range(NUM_ROWS)]), "int64"),
    "decimal text in views": (pa.array([str(row) for row in range(NUM_ROWS)], pa.string_view()), "int64"),
    "dictionary": (pa.array(TEXTS).dictionary_encode(), "text"),
    "dictionary of int64 indices": (
        pa.DictionaryArray.from_arrays(pa.array([row % 5 for row in range(NUM_ROWS)]), pa.array(TEXTS[4:9])),
        "text",
    ),
    "long dictionary": (
        pa.DictionaryArray.from_arrays(pa.array([1, 90, 7, 41] * 2), pa.array(range(100))),
        "int64",
    ),
    "run ends": (pc.run_end_encode(PLAIN), "int64"),
    "chunks": (pa.chunked_array([PLAIN[:9], PLAIN[20:], PLAIN[9:20]]), "int64"),
    "chunks of text": (pa.chunked_array([TEXTS[:9], TEXTS[9:]], pa.string()), "text"),
}


class Streamed:
    """A column of a producer other than pyarrow."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert requested_schema is None
        return self.column.__arrow_c_stream__()


@pytest.mark.parametrize("form", COLUMNS)
def test_results_may_lie_anywhere_over_a_column(form: str) -> None:
    column, dtype = COLUMNS[form]
    expected = fingerprint(column, dtype=dtype)
    for start in range(NUM_WORDS - len(column)):
        memory = Memory(NUM_WORDS)
        held = memory.holding(column)
        out = memory.words[start : start + len(column)]
        assert fingerprint(held, dtype=dtype, out=out) is out
        assert_array_equal(out, expected, f"{form} over word {start}")


def test_results_may_lie_over_a_foreign_stream() -> None:
    memory = Memory(NUM_WORDS)
    held = memory.holding(pa.chunked_array([PLAIN[:9], PLAIN[9:]]))
    out = memory.words[7 : 7 + NUM_ROWS]
    assert_array_equal(fingerprint(Streamed(held), dtype="int64", out=out), fingerprint(PLAIN, dtype="int64"))


def test_results_may_lie_over_large_columns() -> None:
    memory = np.arange(6000)
    column = pa.Array.from_buffers(pa.int64(), 5000, [None, pa.py_buffer(memory[:5000])])
    found = fingerprint(column, dtype="int64", out=memory[7:5007])
    assert_array_equal(found, fingerprint(np.arange(5000), dtype="int64"))


@pytest.mark.parametrize("shift", [-3, -1, 1, 7])
@pytest.mark.parametrize("kind", ["i8", "f8", "u8", "i4", "S8", "U2", "?"])
def test_results_may_lie_anywhere_over_numpy_memory(kind: str, shift: int) -> None:
    memory = np.zeros(100, np.int64)
    values = memory[10:50].view(kind)[:40]
    values[:] = (np.arange(40) % 9).astype(kind)
    expected = fingerprint(values.copy(), dtype="text")
    assert_array_equal(fingerprint(values, dtype="text", out=memory[10 + shift : 50 + shift]), expected)


TABLE = pa.table(
    {
        "user": PLAIN,
        "word": TEXTS,
        "tags": [[str(row), "x"] for row in range(NUM_ROWS)],
        "age": pa.array(range(NUM_ROWS), pa.float64()),
        "code": pa.array(range(NUM_ROWS)).dictionary_encode(),
        "score": pc.run_end_encode(PLAIN),
    }
)
ENCODER = TableEncoder(
    [
        CategoricalGroup(field=Field(name="word", dtype="text")),
        BagGroup(field=Field(name="tags", dtype="text"), max_length=1),
        NGramGroup(field=Field(name="word", dtype="text"), sizes=(1,), max_length=1),
        CategoricalGroup(field=Field(name="code", dtype="int64")),
        CategoricalGroup(field=Field(name="score", dtype="int64")),
        CategoricalGroup(field=Field(name="user", dtype="int64")),
        NumberGroup(name="age"),
    ],
    threads=1,
)


@pytest.mark.parametrize("output", ["ids", "dense"])
def test_encoded_arrays_may_lie_anywhere_over_a_table(output: str) -> None:
    expected, _, numbers = ENCODER.encode(TABLE)
    width = NUM_ROWS * 6 if output == "ids" else NUM_ROWS // 2
    for start in range(0, 1000 - width, 3):
        memory = Memory(1000)
        held = pa.table({name: memory.holding(TABLE[name]) for name in TABLE.column_names})
        over = memory.words[start : start + width]
        ids = over.reshape(NUM_ROWS, 6) if output == "ids" else np.empty((NUM_ROWS, 6), np.int64)
        dense = over.view(np.float32)[:, None] if output == "dense" else np.empty((NUM_ROWS, 1), np.float32)
        found = ENCODER.encode(held, (ids, None, dense))
        assert (found[0] is ids, found[2] is dense) == (True, True)
        assert_array_equal(ids, expected, f"over word {start}")
        assert_array_equal(dense, numbers, f"over word {start}")


TOY = Schema(
    name="toy",
    features=(CategoricalFeature(name="user", dtype="int64", num_buckets=10), NumericFeature(name="age")),
    tasks=(BinaryTask(name="click", label="is_click"),),
).resolved()


def test_batch_may_be_the_frame_it_is_made_of() -> None:
    memory = np.arange(2 * NUM_ROWS + 1)
    frame = pd.DataFrame({"user": memory[:NUM_ROWS], "age": memory[NUM_ROWS:-1].view(float)}, copy=False)
    expected = Encoder(TOY).encode(frame.copy())
    out = Batch(memory[1 : 1 + NUM_ROWS].reshape(NUM_ROWS, 1), np.empty((NUM_ROWS, 1), np.float32))
    assert_array_equal(Encoder(TOY).encode(frame, out=out).ids, expected.ids)
    assert_array_equal(out.dense, expected.dense)


def test_columns_read_by_pyarrow_are_read_before_they_are_written() -> None:
    memory = Memory(NUM_WORDS)
    score = memory.holding(TABLE["score"])
    encoder = TableEncoder([CategoricalGroup(field=Field(name=name, dtype="int64")) for name in ("day", "score")])
    columns = {"day": pa.nulls(NUM_ROWS, pa.date32()), "score": score}
    out = (memory.words[5 : 5 + 2 * NUM_ROWS].reshape(NUM_ROWS, 2), None, np.empty((NUM_ROWS, 0), np.float32))
    expected = fingerprint(TABLE["score"], dtype="int64")
    assert_array_equal(encoder.encode_columns(columns, out)[0][:, 1], expected)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_batch_may_hold_the_arrays_of_the_dicts(kind: type[np.floating[Any]]) -> None:
    memory = np.arange(64, dtype=np.float32)
    bags, vectors = np.full((2, 2), 7), memory[:6].reshape(2, 3)
    rows = [{"tags": [1, 2], "place": [5.0, 6.0, 7.0]}, {"tags": bags[0], "place": memory.view(kind)[1:4]}]
    tags = BagGroup(field=Field(name="tags", dtype="int64"), max_length=2)
    encoder = TableEncoder([tags, VectorGroup(name="place", dim=3)])
    ids, _, dense = encoder.encode([{name: list(value) for name, value in row.items()} for row in rows])
    out = encoder.encode(rows, (bags, None, vectors))
    assert (out[0] is bags, out[2] is vectors) == (True, True)
    assert_array_equal(bags, ids)
    assert_array_equal(vectors, dense)


def test_encoded_arrays_that_share_memory_are_refused() -> None:
    ids = np.empty((NUM_ROWS, 6), np.int64)
    dense = ids.view(np.float32).reshape(-1)[:NUM_ROWS][:, None]
    with pytest.raises(ValueError, match=r"^out\.ids and out\.dense must not share memory; give each an array"):
        ENCODER.encode(TABLE, (ids, None, dense))


def test_first_chunk_of_nulls_spares_what_is_read_next() -> None:
    memory = Memory(NUM_WORDS)
    days = memory.holding(pa.array([dt.date(2026, 7, 1)] * NUM_ROWS))
    column = pa.chunked_array([pa.nulls(NUM_ROWS, pa.date32()), days])
    with pytest.raises(ValueError, match=r"holds datetime\.date\(2026, 7, 1\) at row 41; a categorical"):
        fingerprint(column, dtype="text", out=memory.words[: 2 * NUM_ROWS])
