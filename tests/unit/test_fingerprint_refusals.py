"""Every value, column and argument that fingerprints refuse, and what they say."""

import datetime as dt
import decimal
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from polyrank.canonical import Dtype, new_reading, worded
from polyrank.errors import DataError
from polyrank.fingerprint import fingerprint, fingerprint_cross

WHOLE = 'whole numbers expected for a categorical feature (kind = "numeric" takes fractions)'
INFINITE = "whole numbers expected for a categorical feature (make infinities null)"
LARGE = "floats hold whole numbers exactly up to 2**53 only (cast the column to int64 or text at its source)"
DECIMAL = 'dtype "int64" takes decimal integers such as -12 (dtype = "text" takes any text)'
RANGE = 'dtype "int64" takes -2**63 to 2**63-1 (dtype = "text" takes any integer)'
BYTES = 'dtype "int64" takes no bytes (decode the column to text, or dtype = "text" takes bytes)'
REFUSALS: dict[str, tuple[Any, Dtype, str]] = {
    "fraction in numpy": (np.array([1, 12.5]), "int64", f"holds 12.5 at row 2; {WHOLE}"),
    "fraction in list": ([1, 12.5], "text", f"holds 12.5 at row 2; {WHOLE}"),
    "fraction among mixed": (["1", 12.5], "text", f"holds 12.5 at row 2; {WHOLE}"),
    "fraction in later chunk": (pa.chunked_array([[1.0, 2.0], [3.0, 0.5]]), "int64", f"holds 0.5 at row 4; {WHOLE}"),
    "infinity": (np.array([1, -np.inf]), "text", f"holds -inf at row 2; {INFINITE}"),
    "large float": (pa.array([None, 2.0**53 + 2]), "int64", f"holds 9007199254740994.0 at row 2; {LARGE}"),
    "numpy float scalar": ([None, "1", np.float32(0.5)], "int64", f"holds 0.5 at row 3; {WHOLE}"),
    "text in list": (["1", "5.0"], "int64", f"holds '5.0' at row 2; {DECIMAL}"),
    "text in arrow": (pa.array(["1", None, " 5"]), "int64", f"holds ' 5' at row 3; {DECIMAL}"),
    "text among mixed": ([1, "+5"], "int64", f"holds '+5' at row 2; {DECIMAL}"),
    "text in view": (pa.array(["x"], pa.string_view()), "int64", f"holds 'x' at row 1; {DECIMAL}"),
    "empty text": ([""], "int64", f"holds '' at row 1; {DECIMAL}"),
    "superscript": (["²"], "int64", f"holds '²' at row 1; {DECIMAL}"),
    "text out of range": (
        ["1", None, "9223372036854775808"],
        "int64",
        f"holds '9223372036854775808' at row 3; {RANGE}",
    ),
    "long text out of range": ([1, "9" * 5000], "int64", 'at row 2; dtype "int64" takes -2**63'),
    "text in dictionary": (
        pa.array(["1", "x", "1", "x"]).dictionary_encode()[2:],
        "int64",
        f"holds 'x' at row 2; {DECIMAL}",
    ),
    "invalid text": (pa.array([b"1", b"\xff"]).view(pa.string()), "int64", f"holds b'\\xff' at row 2; {DECIMAL}"),
    "integer in list": ([2**63], "int64", f"holds 9223372036854775808 at row 1; {RANGE}"),
    "unsigned integer": (np.array([1, 2**63], np.uint64), "int64", f"holds 9223372036854775808 at row 2; {RANGE}"),
    "unsigned arrow": (
        pa.array([None, 2**64 - 1], pa.uint64()),
        "int64",
        f"holds 18446744073709551615 at row 2; {RANGE}",
    ),
    "bytes in list": ([None, b"46"], "int64", f"holds b'46' at row 2; {BYTES}"),
    "bytes in arrow": (pa.array([None, b"46"]), "int64", f"holds b'46' at row 2; {BYTES}"),
    "fixed bytes": (pa.array([b"46"], pa.binary(2)), "int64", f"holds b'46' at row 1; {BYTES}"),
    "surrogate": (
        ["a", "\ud800"],
        "text",
        "holds '\\ud800' at row 2; text must have a UTF-8 form, without lone surrog",
    ),
    "surrogate among mixed": ([1, "\ud800"], "text", "holds '\\ud800' at row 2; text must have a UTF-8 form"),
    "date": (
        pa.array([None, dt.date(2026, 7, 1)]),
        "text",
        "at row 2; a categorical feature takes no date32[day]: cast",
    ),
    "date in list": ([dt.date(2026, 7, 1)], "int64", "a categorical feature takes no date: cast it to text such as"),
    "timestamp": (pd.Series(pd.to_datetime(["2026-07-01"])), "text", "a categorical feature takes no timestamp["),
    "numpy datetime": (np.array(["2026-07-01"], "M8[ns]"), "int64", "takes no datetime64: cast it to text"),
    "time": ([dt.time(12)], "text", "takes no time: cast it to text or to int64 units"),
    "duration": (pl.Series([dt.timedelta(1)]), "text", "takes no duration[us]: cast it to int64 units"),
    "decimal": (pa.array([decimal.Decimal("1.5")]), "text", "takes no decimal128(2, 1): cast it to text, or to int64"),
    "decimal in list": ([decimal.Decimal(2)], "int64", "takes no Decimal: cast it to text, or to int64 where whole"),
    "struct": (pa.array([{"a": 1}]), "text", "takes no struct<a: int64>: make each of its fields a column"),
    "dict in list": ([{"a": 1}], "text", "takes no dict: make each of its keys a column"),
    "list": (
        pl.Series([[1, 2]]),
        "int64",
        "holds [1, 2] at row 1; a categorical feature takes no large_list<item: int64>: join it to one text, or",
    ),
    "list of one length": (pa.array([[1]], pa.list_(pa.int64(), 1)), "text", "<item: int64>[1]: join it to one text"),
    "integer beyond what Python writes": ([1, 10**5000], "int64", f"holds an integer of 16,610 bits at row 2; {RANGE}"),
    "such an integer in a list": ([[10**5000]], "text", "holds [an integer of 16,610 bits] at row 1; a categorical"),
    "Int128": (pl.Series([1, 2**64], dtype=pl.Int128), "int64", f"holds 18446744073709551616 at row 2; {RANGE}"),
    "sparse": (pd.Series(pd.arrays.SparseArray([1.0, 0.5])), "int64", f"holds 0.5 at row 2; {WHOLE}"),
    "list in list": (
        [[1, 2]],
        "text",
        "holds [1, 2] at row 1; a categorical feature takes no list: join it to one text",
    ),
    "array in list": (
        [np.eye(2)],
        "text",
        "at row 1; a categorical feature takes no ndarray: cast it to text or int64",
    ),
    "complex": (np.array([1j]), "text", "takes no complex128: cast it to text or int64"),
    "object": ([object], "text", "takes no type: cast it to text or int64"),
}


@pytest.mark.parametrize(("column", "dtype", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_value_without_canonical_form_is_refused_by_name(column: Any, dtype: Dtype, message: str) -> None:
    with pytest.raises(DataError, match=f"^column 'user_id' .*{re.escape(message)}"):
        fingerprint(column, dtype=dtype, column="user_id")


def test_row_numbers_carry_thousands_separators() -> None:
    values = np.zeros(2000)
    values[1040] = 12.5
    message = re.escape(f"column 'user_id' holds 12.5 at row 1,041; {WHOLE}")
    with pytest.raises(DataError, match=f"^{message}$"):
        fingerprint(values, dtype="int64", column="user_id")


def test_dictionary_index_out_of_range_is_refused() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array(["a"]), safe=False)
    with pytest.raises(DataError, match=r"^column 'c': arrow array: dictionary index 5 at row 2 must be in \[0, 1\)$"):
        fingerprint(column, dtype="text", column="c")


def test_dictionary_index_of_a_later_chunk_is_told_with_its_row() -> None:
    indices = (pa.array([0] * 1200), pa.array([0, 9]))
    column = pa.chunked_array([pa.DictionaryArray.from_arrays(each, pa.array(["a"]), safe=False) for each in indices])
    with pytest.raises(DataError, match=r"^column 'c': arrow array: dictionary index 9 at row 1,202 must be in "):
        fingerprint(column, dtype="text", column="c")


NO_COLUMNS: dict[str, tuple[Any, str]] = {
    "text": ("abc", "must be an array or a list of values, got str; fingerprint_one takes a single value"),
    "bytes": (b"abc", "must be an array or a list of values, got bytes"),
    "number": (5, "must be an array or a list of values, got int"),
    "mapping": ({"a": 1}, "must be an array or a list of values, got dict; make it a list"),
    "set": ({"a"}, "must be an array or a list of values, got set; make it a list"),
    "generator": ((text for text in "a"), "must be an array or a list of values, got generator; make it a list"),
    "polars frame": (pl.DataFrame({"a": [1]}), "must be an array or a list of values, got DataFrame; pick one of its"),
    "pandas frame": (pd.DataFrame({"a": [1]}), "must be an array or a list of values, got DataFrame; pick one of its"),
    "table": (pa.table({"a": [1]}), "must be an array or a list of values, got Table; pick one of its columns"),
    "record batch": (pa.record_batch({"a": [1]}), "must be an array or a list of values, got RecordBatch; pick one"),
    "lazy frame": (pl.LazyFrame({"a": [1]}), "must be an array or a list of values, got LazyFrame; pick one of its"),
    "matrix": (np.eye(2), "must have one dimension, got shape [2, 2]"),
    "object matrix": (np.eye(2).astype(object), "must have one dimension, got shape [2, 2]"),
    "numpy scalar": (np.int64(5), "must have one dimension, got shape []"),
}


@pytest.mark.parametrize(("values", "message"), NO_COLUMNS.values(), ids=NO_COLUMNS.keys())
def test_what_is_no_column_is_refused(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^column 'c' {re.escape(message)}"):
        fingerprint(values, dtype="int64", column="c")


def broken_array() -> Any:
    offsets = np.array([0, 2, 1], np.int32)
    return pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(offsets), pa.py_buffer(b"ab")])


def test_broken_arrow_array_is_refused_with_its_column() -> None:
    with pytest.raises(DataError, match=r"^column 'c': arrow array: offsets must start at 0"):
        fingerprint(broken_array(), dtype="text", column="c")


def test_broken_arrow_array_is_refused_in_a_cross() -> None:
    with pytest.raises(DataError, match=r"^column 'c': arrow array: offsets must start at 0"):
        fingerprint_cross([broken_array()], dtypes=["text"], columns=["c"])


@pytest.mark.parametrize(
    ("parts", "arguments", "error", "message"),
    [
        (
            [["a"], ["b", "c"]],
            {"dtypes": ["text"] * 2, "columns": ["city", "shop"]},
            DataError,
            "the parts of a cross must have equal lengths, got [1, 2] (city, shop)",
        ),
        ([["a"], ["x"]], {"dtypes": ["text", "int64"]}, DataError, f"column 'parts[1]' holds 'x' at row 1; {DECIMAL}"),
    ],
)
def test_wrong_cross_is_refused(
    parts: list[Any], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        fingerprint_cross(parts, **arguments)


@pytest.mark.parametrize("dtype", ["text", "int64"])
def test_list_that_is_changed_while_it_is_read_is_refused(dtype: Dtype) -> None:
    values: list[int] = []

    class Clearing(int):
        def __int__(self) -> int:
            values.clear()
            return 7

    values += [1, Clearing(), 2]
    with pytest.raises(DataError, match=r"^column 'c' changed its size while it was read; give a list that no other"):
        fingerprint(values, dtype=dtype, column="c")


def test_value_that_is_gone_before_it_is_shown_is_refused() -> None:
    with pytest.raises(DataError, match=r"^column 'c' changed its size while it was read; give a list that no other"):
        raise worded([1], new_reading("int64", (), "c"), "not_whole", 1)
