import datetime as dt
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from golden import make_fingerprint_v1 as golden
from reference import fingerprint_v1 as reference

from polyrank.errors import DataError
from polyrank.fingerprint import fingerprint
from polyrank.ngrams import fingerprint_ngrams
from polyrank.table import Field, NGramGroup, TableEncoder

VECTORS: list[dict[str, Any]] = json.loads(golden.PATH.read_text(encoding="utf-8"))["ngrams"]
TEXTS = ["New York", None, "", "東京 Tower", "-"]
VIEWS = pa.array(TEXTS, pa.string_view())


class Streamed:
    """A column of a producer other than pyarrow."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert requested_schema is None
        return self.column.__arrow_c_stream__()


FORMS: dict[str, Any] = {
    "list": TEXTS,
    "string": pa.array(TEXTS),
    "large string": pa.array(TEXTS, pa.large_string()),
    "string view": VIEWS,
    "binary": pa.array([None if text is None else text.encode() for text in TEXTS]),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "slice": pa.array(["x", *TEXTS])[1:],
    "chunks": pa.chunked_array([TEXTS[:2], [], TEXTS[2:]], pa.string()),
    "stream with an empty chunk of views": Streamed(pa.chunked_array([VIEWS[5:5], VIEWS])),
    "numpy objects": np.array(TEXTS, object),
    "pandas": pd.Series(TEXTS),
    "polars": pl.Series(TEXTS),
}


def expected(text: str | None, sizes: list[int], max_length: int) -> list[int]:
    found = [] if text is None else reference.ngrams(text, sizes)
    return [*found, *[-1] * max_length][:max_length]


@pytest.mark.parametrize("vector", VECTORS, ids=json.dumps)
def test_ngrams_hash_as_golden(vector: dict[str, Any]) -> None:
    known = [int(word) for word in vector["fingerprints"]]
    found = fingerprint_ngrams([vector["text"]], sizes=vector["sizes"], max_length=len(known) + 2)
    assert found.tolist() == [[*known, -1, -1]]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_ngrams(form: str) -> None:
    found = fingerprint_ngrams(FORMS[form], sizes=[1, 2], max_length=3)
    assert found.tolist() == [expected(text, [1, 2], 3) for text in TEXTS]


@pytest.mark.parametrize("form", ["list", "string", "chunks"])
def test_tables_give_the_same_ngrams(form: str) -> None:
    group = NGramGroup(field=Field(name="text", dtype="text"), sizes=(2, 1), max_length=4)
    rows = [{"text": text} for text in TEXTS] if form == "list" else pa.table({"text": FORMS[form]})
    assert TableEncoder([group]).encode(rows)[0].tolist() == [expected(text, [2, 1], 4) for text in TEXTS]


def test_missing_texts_have_no_ngrams() -> None:
    found = fingerprint_ngrams(["N/A", "a"], sizes=[1], max_length=2, missing=["N/A"])
    assert found.tolist() == [[-1, -1], expected("a", [1], 2)]


def test_values_that_are_no_text_are_read_as_text() -> None:
    found = fingerprint_ngrams([12, True, -3.0, b"a b", float("nan")], sizes=[1], max_length=2)
    assert found.tolist() == [expected(text, [1], 2) for text in ("12", "true", "-3", "a b", None)]


@pytest.mark.parametrize("values", [[2**63, -1], [-1, 10**30], [1, None, 2**64]])
def test_integers_of_any_size_are_read_as_text(values: list[int | None]) -> None:
    found = fingerprint_ngrams(values, sizes=[1], max_length=1)
    assert found.tolist() == [expected(None if value is None else str(value), [1], 1) for value in values]


def test_seed_starts_every_chain() -> None:
    found = fingerprint_ngrams(["a b"], sizes=[2], max_length=1, seed=7)
    assert found.tolist() == [reference.ngrams("a b", [2], seed=7)]


def test_no_texts_give_no_rows() -> None:
    assert fingerprint_ngrams([], sizes=[1], max_length=3).shape == (0, 3)


@pytest.mark.parametrize(
    "values",
    [
        [b"a", None, b"\xc3("],
        pa.array([b"a", None, b"\xc3("]),
        pa.array([b"a", None, b"\xc3("]).dictionary_encode(),
        pa.array([b"a", None, b"\xc3("]).view(pa.string()).dictionary_encode(),
    ],
    ids=["list", "arrow", "dictionary", "dictionary of text"],
)
def test_text_that_is_not_utf8_is_refused_with_its_row(values: Any) -> None:
    message = "column 't' holds b'\\xc3(' at row 3; text of an n-gram feature must be UTF-8"
    with pytest.raises(DataError, match=re.escape(message)):
        fingerprint_ngrams(values, sizes=[1], max_length=3, column="t")


NO_TEXT: dict[str, Any] = {
    "date": ["a", dt.date(2026, 7, 1)],
    "numpy datetime": np.array(["NaT", "2026-07-01"], "M8[ns]"),
    "numpy complex": np.array([1, 1j]),
    "arrow date": pa.array([None, dt.date(2026, 7, 1)]),
    "second chunk of dates": pa.chunked_array([[None], [dt.date(2026, 7, 1)]], pa.date32()),
    "list": pa.array([None, [1]]),
    "struct": pa.array([None, {"a": 1}]),
    "map": pa.array([None, [("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array(["a"]), pa.array([1])]
    ),
    "sparse union": pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array(["a", "b"]), pa.array([1, 2])]),
    "extension": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([None, b"0" * 16], pa.binary(16))),
    "period": pd.Series(pd.period_range("2026-07", periods=2, freq="M")),
    "fraction": pa.array([1, 0.5]),
    "surrogate": ["a", "\ud800"],
    "table": pa.table({"a": ["x"]}),
    "frame": pd.DataFrame({"a": ["x"]}),
    "set": {"a"},
}


@pytest.mark.parametrize("form", NO_TEXT)
def test_what_fingerprints_refuse_is_refused_in_the_same_words(form: str) -> None:
    with pytest.raises(DataError) as refused:
        fingerprint(NO_TEXT[form], dtype="text", column="t")
    with pytest.raises(DataError, match=f"^{re.escape(str(refused.value))}$"):
        fingerprint_ngrams(NO_TEXT[form], sizes=[1], max_length=3, column="t")


@pytest.mark.parametrize("kind", ["date32", "int64", "binary"])
def test_columns_without_chunks_have_no_ngrams(kind: str) -> None:
    column = pa.chunked_array([], kind)
    assert fingerprint_ngrams(column, sizes=[1], max_length=3).shape == (0, 3)


class Lost:
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise ValueError("the file is gone")


def test_producer_that_fails_is_named() -> None:
    message = r"^column 't' of type Lost is not readable as Arrow: the file is gone$"
    with pytest.raises(DataError, match=message):
        fingerprint_ngrams(Lost(), sizes=[1], max_length=3, column="t")


def test_malformed_text_is_refused() -> None:
    offsets = pa.py_buffer(np.array([0, 2, 1], np.int32))
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"ab")])
    with pytest.raises(DataError, match=r"^column 't': .*offsets must start at 0 or above"):
        fingerprint_ngrams(broken, sizes=[1], max_length=3, column="t")
