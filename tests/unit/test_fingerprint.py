"""The public face: every form in which a column arrives."""

import doctest
import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from reference import fingerprint_v1 as reference
from reference.arrow_c_structs import HandMadeArray

from polyrank.canonical import Dtype
from polyrank.errors import DataError
from polyrank.fingerprint import MISSING, fingerprint, fingerprint_cross, fingerprint_one

LONG = "a text of more than twelve bytes"


def expected(values: list[Any], dtype: str, missing: tuple[str, ...] = ()) -> list[int]:
    return [reference.fingerprint(value, dtype, missing=missing) for value in values]


TEXTS = ["a", None, LONG, "", "é"]
ROWS = pa.array(range(len(TEXTS)))
TEXT_COLUMNS: dict[str, Any] = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "numpy object": np.array(TEXTS, object),
    "arrow string": pa.array(TEXTS),
    "arrow large_string": pa.array(TEXTS, pa.large_string()),
    "arrow string_view": pa.array(TEXTS, pa.string_view()),
    "arrow binary": pa.array(TEXTS, pa.binary()),
    "arrow large_binary": pa.array(TEXTS, pa.large_binary()),
    "arrow binary_view": pa.array(TEXTS, pa.binary()).cast(pa.binary_view()),
    "arrow dictionary": pa.array(TEXTS).dictionary_encode(),
    "arrow dictionary with null value": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, 3, 4]), pa.array(TEXTS, pa.string_view())
    ),
    "arrow run_end_encoded": pc.run_end_encode(pa.array(TEXTS)),
    "arrow run_end_encoded views": pa.RunEndEncodedArray.from_arrays(
        np.arange(2, 2 + len(TEXTS), dtype=np.int32), pa.array(TEXTS, pa.string_view())
    )[1:],
    "arrow dictionary of a dictionary": pa.DictionaryArray.from_arrays(ROWS, pa.array(TEXTS).dictionary_encode()),
    "arrow dictionary of runs": pa.DictionaryArray.from_arrays(ROWS, pc.run_end_encode(pa.array(TEXTS))),
    "arrow runs of a dictionary": pa.RunEndEncodedArray.from_arrays(
        np.arange(2, 2 + len(TEXTS), dtype=np.int32), pa.array(TEXTS).dictionary_encode()
    )[1:],
    "arrow slice": pa.array(["x", *TEXTS, "y"])[1:-1],
    "arrow chunks": pa.chunked_array([TEXTS[:2], [], TEXTS[2:]]),
    "polars": pl.Series(TEXTS),
    "polars categorical": pl.Series(TEXTS, dtype=pl.Categorical),
    "polars enum": pl.Series(TEXTS, dtype=pl.Enum(["unused", "a", LONG, "", "é"])),
    "polars object": pl.Series(TEXTS, dtype=pl.Object),
    "pandas": pd.Series(TEXTS),
    "pandas object": pd.Series(TEXTS, dtype=object),
    "pandas category": pd.Series(TEXTS, dtype="category"),
    "pandas categorical": pd.Categorical(TEXTS),
    "masked": np.ma.array(["a", "?", LONG, "", "é"], mask=[False, True, False, False, False]),
    "arrow array interface": pa.record_batch({"c": TEXTS})["c"],
}


@pytest.mark.parametrize("column", TEXT_COLUMNS.values(), ids=TEXT_COLUMNS.keys())
def test_text_arrives_in_any_form(column: Any) -> None:
    assert fingerprint(column, dtype="text").tolist() == expected(TEXTS, "text")


@pytest.mark.parametrize("column", TEXT_COLUMNS.values(), ids=TEXT_COLUMNS.keys())
def test_missing_token_is_found_in_any_form(column: Any) -> None:
    found = fingerprint(column, dtype="text", missing=["a", ""])
    assert found.tolist() == expected(TEXTS, "text", ("a", ""))


INTEGERS = [46, None, 0, 7]
INTEGER_COLUMNS: dict[str, Any] = {
    "list": INTEGERS,
    "list of floats": [46.0, None, -0.0, 7.0],
    "list of text": ["46", None, "-0", "007"],
    "list of mixed": [46, None, "0", 7.0],
    "list of numpy scalars": [np.uint8(46), np.float32("nan"), np.int64(0), np.str_("7")],
    "list of pandas markers": [46, pd.NaT, 0, 7.0],
    "list of numpy markers": [46, np.datetime64("NaT"), 0, 7],
    "numpy object": np.array([46, pd.NA, 0, "7"], object),
    "numpy float64": np.array([46, np.nan, 0, 7]),
    "numpy float32": np.array([46, np.nan, 0, 7], np.float32),
    "numpy float16": np.array([46, np.nan, 0, 7], np.float16),
    "numpy longdouble": np.array([46, np.nan, 0, 7], np.longdouble),
    "numpy big endian": np.array([46, np.nan, 0, 7], ">f8"),
    "masked integers": np.ma.array([46, 1, 0, 7], mask=[False, True, False, False]),
    "masked floats": np.ma.array([46.0, 0.5, 0, 7], mask=[False, True, False, False]),
    **{f"arrow {name}": pa.array(INTEGERS, name) for name in ("int8", "int16", "int32", "int64")},
    **{f"arrow {name}": pa.array(INTEGERS, name) for name in ("uint8", "uint16", "uint32", "uint64")},
    **{f"arrow {name}": pa.array(INTEGERS, name) for name in ("float32", "float64")},
    "arrow float16": pa.array(np.array([46, np.nan, 0, 7], np.float16)),
    "arrow text": pa.array(["46", None, "000", "7"]),
    "arrow dictionary": pa.array(INTEGERS).dictionary_encode(),
    "arrow dictionary of text": pa.array(["46", None, "0", "07"]).dictionary_encode(),
    "arrow chunks of floats": pa.chunked_array([[46.0, None], [0.0, 7.0]]),
    "arrow slice": pa.array([1, *INTEGERS, 2])[1:-1],
    "polars": pl.Series(INTEGERS),
    "polars Int128": pl.Series(INTEGERS, dtype=pl.Int128),
    "polars float": pl.Series([46.0, None, 0.0, 7.0]),
    "pandas sparse": pd.Series(pd.arrays.SparseArray([46, np.nan, 0, 7])),
    "pandas float after a join": pd.Series([46, None, 0, 7]),
    "pandas Int64": pd.Series(INTEGERS, dtype="Int64"),
    "pandas object": pd.Series([46, None, "0", 7.0], dtype=object),
}


@pytest.mark.parametrize("column", INTEGER_COLUMNS.values(), ids=INTEGER_COLUMNS.keys())
def test_integer_arrives_in_any_form(column: Any) -> None:
    assert fingerprint(column, dtype="int64").tolist() == expected(INTEGERS, "int64")


@pytest.mark.parametrize("column", INTEGER_COLUMNS.values(), ids=INTEGER_COLUMNS.keys())
def test_missing_integer_token_is_found_in_any_form(column: Any) -> None:
    found = fingerprint(column, dtype="int64", missing=["7", "NA"])
    assert found.tolist() == expected(INTEGERS, "int64", ("7", "NA"))


@pytest.mark.parametrize("dtype", ["text", "int64"])
def test_numbers_of_mixed_types_are_one_value(dtype: Dtype) -> None:
    found = fingerprint([46, "46", None, 46.0, np.int8(46), np.float32(46)], dtype=dtype)
    assert found.tolist() == expected([46, 46, None, 46, 46, 46], dtype)


@pytest.mark.parametrize("dtype", ["text", "int64"])
@pytest.mark.parametrize(
    "column",
    [
        [True, None, False],
        pa.array([True, None, False]),
        pl.Series([True, None, False]),
        np.ma.array([True, True, False], mask=[False, True, False]),
        [np.True_, None, "false"],
    ],
    ids=["list", "arrow", "polars", "masked", "mixed"],
)
def test_boolean_has_one_form_for_each_dtype(column: Any, dtype: Dtype) -> None:
    if isinstance(column, list) and "false" in column and dtype == "int64":
        column = [np.True_, None, 0]
    assert fingerprint(column, dtype=dtype).tolist() == expected([True, None, False], dtype)


def test_text_and_bytes_of_mixed_types_are_one_value() -> None:
    assert fingerprint(["a", b"a", bytearray(b"a"), memoryview(b"a")], dtype="text").tolist() == expected(
        ["a"] * 4, "text"
    )


@pytest.mark.parametrize("dtype", ["text", "int64"])
@pytest.mark.parametrize(
    "column",
    [
        [None, None],
        [float("nan"), None],
        pa.nulls(2),
        pa.nulls(2, pa.timestamp("s")),
        pa.nulls(2, pa.binary()),
        np.array(["NaT", "NaT"], "datetime64[s]"),
        pl.Series([None, None]),
        pd.Series([pd.NaT, pd.NaT]),
    ],
    ids=lambda column: type(column).__name__,
)
def test_column_without_values_is_missing_throughout(column: Any, dtype: Dtype) -> None:
    assert fingerprint(column, dtype=dtype).tolist() == [MISSING, MISSING]


@pytest.mark.parametrize("dtype", ["text", "int64"])
@pytest.mark.parametrize(
    "column",
    [[], np.array([], np.int64), np.array([], object), pa.array([], pa.string()), pa.chunked_array([], pa.int64())],
    ids=["list", "int64", "object", "arrow", "no chunks"],
)
def test_empty_column_has_no_fingerprints(column: Any, dtype: Dtype) -> None:
    found = fingerprint(column, dtype=dtype)
    assert found.shape == (0,)
    assert found.dtype == np.int64


def test_unsigned_integers_beyond_int64_are_text() -> None:
    values = [2**63, 2**64 - 1]
    assert fingerprint(np.array(values, np.uint64), dtype="text").tolist() == expected(values, "text")
    assert fingerprint([2**70, -(2**70)], dtype="text").tolist() == expected([2**70, -(2**70)], "text")


def test_integer_of_more_digits_than_python_writes_is_text() -> None:
    texts = ["1" + "0" * 5000, "-7" + "3" * 9000]
    values = [10**5000, -7 * 10**9000 - 3 * (10**9000 // 9)]
    assert fingerprint(values, dtype="text").tolist() == expected(texts, "text")


def test_dictionary_value_that_no_row_uses_is_no_error() -> None:
    column = pd.Series(["1", "2"], dtype=pd.CategoricalDtype(["1", "x", "2"]))
    assert fingerprint(column, dtype="int64").tolist() == expected([1, 2], "int64")


def test_arrow_array_of_foreign_producer_is_read() -> None:
    array = HandMadeArray(b"u", 1, [None, b"\0\0\0\0\1\0\0\0", b"a"])
    assert fingerprint(array, dtype="text").tolist() == expected(["a"], "text")


OUTPUT_COLUMNS: dict[str, tuple[Any, Dtype]] = {
    "list": (["a", None], "text"),
    "arrow": (pa.array(["a", None]), "text"),
    "chunks": (pa.chunked_array([["a"], [None]], pa.string()), "text"),
    "dictionary": (pa.array(["a", None]).dictionary_encode(), "text"),
    "mixed": (["a", float("nan")], "text"),
    "floats": (np.array([46, np.nan]), "int64"),
}


@pytest.mark.parametrize(("column", "dtype"), OUTPUT_COLUMNS.values(), ids=OUTPUT_COLUMNS.keys())
def test_output_is_filled_and_returned(column: Any, dtype: Dtype) -> None:
    out = np.full(2, 99, np.int64)
    assert fingerprint(column, dtype=dtype, out=out) is out
    assert out.tolist() == fingerprint(column, dtype=dtype).tolist()


@pytest.mark.parametrize(("column", "dtype"), OUTPUT_COLUMNS.values(), ids=OUTPUT_COLUMNS.keys())
def test_output_of_other_length_is_refused(column: Any, dtype: Dtype) -> None:
    with pytest.raises(ValueError, match=re.escape("out must have shape [2]")):
        fingerprint(column, dtype=dtype, out=np.empty(3, np.int64))


def test_output_may_be_the_integers_themselves() -> None:
    values = np.array([1, 2, 3], np.int64)
    assert fingerprint(values, dtype="int64", out=values).tolist() == expected([1, 2, 3], "int64")


def test_misaligned_integers_are_copied_and_hashed() -> None:
    values = np.frombuffer(b"\0" + np.arange(3, dtype="<i8").tobytes(), np.uint8)[1:].view(np.int64)
    assert fingerprint(values, dtype="int64").tolist() == expected([0, 1, 2], "int64")


def test_common_columns_are_hashed_without_a_copy() -> None:
    text, integers, out = pa.array(["some text"] * 1000), pa.array(range(1000)), np.empty(1000, np.int64)
    default = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(default)
    pa.set_memory_pool(pool)
    try:
        fingerprint(text, dtype="text", out=out)
        fingerprint(integers, dtype="int64", out=out)
        fingerprint(np.arange(1000), dtype="int64", out=out)
    finally:
        pa.set_memory_pool(default)
    assert pool.max_memory() == 0


def test_cross_joins_columns_of_any_form() -> None:
    cities = pa.array(["de", None, "fr", "de"]).dictionary_encode()
    users = np.array([7.0, 8.0, np.nan, 9.0])
    pairs = [("de", 7), (None, 8), ("fr", None), ("de", 9)]
    found = fingerprint_cross([cities, users], dtypes=["text", "int64"], missing=[(), ["9"]])
    assert found.tolist() == [reference.cross([(city, "text"), (user, "int64")], missing=["9"]) for city, user in pairs]


def test_cross_of_chunks_and_views_keeps_rows_together() -> None:
    first = pa.chunked_array([["a"], [LONG, None]], pa.string_view())
    second = pl.Series(["x", "y", "z"], dtype=pl.Categorical)
    found = fingerprint_cross([first, second], dtypes=["text", "text"], seed=7)
    rows = [("a", "x"), (LONG, "y"), (None, "z")]
    assert found.tolist() == [reference.cross([(a, "text"), (b, "text")], seed=7) for a, b in rows]


def test_single_value_is_named_in_errors() -> None:
    assert fingerprint_one("46", dtype="int64") == reference.fingerprint(46, "int64")
    with pytest.raises(DataError, match=r"^column 'user_id' holds 'x' at row 1; "):
        fingerprint_one("x", dtype="int64", column="user_id")


def test_documented_examples_are_true() -> None:
    module = importlib.import_module("polyrank.fingerprint")
    page = Path(__file__).parents[2] / "docs" / "fingerprint.md"
    assert doctest.testmod(module).failed == 0
    assert doctest.testfile(str(page), module_relative=False).failed == 0
