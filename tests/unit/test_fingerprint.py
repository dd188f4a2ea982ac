"""The public face: every form a column arrives in, and every refusal."""

import datetime as dt
import decimal
import re
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
from polyrank.errors import ConfigError, DataError
from polyrank.fingerprint import MISSING, fingerprint, fingerprint_cross, fingerprint_one

LONG = "a text of more than twelve bytes"


def expected(values: list[Any], dtype: str, missing: tuple[str, ...] = ()) -> list[int]:
    return [reference.fingerprint(value, dtype, missing=missing) for value in values]


TEXTS = ["a", None, LONG, "", "é"]
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
    "masked": np.ma.array(["a", "?", LONG, "", "é"], mask=[0, 1, 0, 0, 0]),
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
    "masked integers": np.ma.array([46, 1, 0, 7], mask=[0, 1, 0, 0]),
    "masked floats": np.ma.array([46.0, 0.5, 0, 7], mask=[0, 1, 0, 0]),
    **{f"arrow {name}": pa.array(INTEGERS, name) for name in ("int8", "int16", "int32", "int64")},
    **{f"arrow {name}": pa.array(INTEGERS, name) for name in ("uint8", "uint16", "uint32", "uint64")},
    **{f"arrow {name}": pa.array(INTEGERS, name) for name in ("float16", "float32", "float64")},
    "arrow text": pa.array(["46", None, "000", "7"]),
    "arrow dictionary": pa.array(INTEGERS).dictionary_encode(),
    "arrow dictionary of text": pa.array(["46", None, "0", "07"]).dictionary_encode(),
    "arrow chunks of floats": pa.chunked_array([[46.0, None], [0.0, 7.0]]),
    "arrow slice": pa.array([1, *INTEGERS, 2])[1:-1],
    "polars": pl.Series(INTEGERS),
    "polars float": pl.Series([46.0, None, 0.0, 7.0]),
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
        np.ma.array([True, True, False], mask=[0, 1, 0]),
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
    assert (found.shape, found.dtype) == ((0,), np.int64)


def test_unsigned_integers_beyond_int64_are_text() -> None:
    values = [2**63, 2**64 - 1]
    assert fingerprint(np.array(values, np.uint64), dtype="text").tolist() == expected(values, "text")
    assert fingerprint([2**70, -(2**70)], dtype="text").tolist() == expected([2**70, -(2**70)], "text")


WHOLE = 'whole numbers expected for a categorical feature (kind = "bucketized" takes fractions)'
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
    "frame": (pl.DataFrame({"a": [1]}), "int64", "takes no struct<a: int64>: make each of its fields a column"),
    "list": (pl.Series([[1, 2]]), "int64", "holds [1, 2] at row 1; a categorical feature takes no"),
    "list in list": (
        [[1, 2]],
        "text",
        "holds [1, 2] at row 1; a categorical feature takes no list: join it to one text",
    ),
    "array in list": ([np.eye(2)], "text", "holds array([[1., 0.], [0., 1.]]) at row 1; a categorical"),
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


def test_dictionary_value_that_no_row_uses_is_no_error() -> None:
    column = pd.Series(["1", "2"], dtype=pd.CategoricalDtype(["1", "x", "2"]))
    assert fingerprint(column, dtype="int64").tolist() == expected([1, 2], "int64")


def test_dictionary_index_out_of_range_is_refused() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array(["a"]), safe=False)
    with pytest.raises(DataError, match=r"^column 'c' is not a valid dictionary array: "):
        fingerprint(column, dtype="text", column="c")


NO_COLUMNS: dict[str, tuple[Any, str]] = {
    "text": ("abc", "must be an array or a list of values, got str; fingerprint_one takes a single value"),
    "bytes": (b"abc", "must be an array or a list of values, got bytes"),
    "number": (5, "must be an array or a list of values, got int"),
    "mapping": ({"a": 1}, "must be an array or a list of values, got dict"),
    "matrix": (np.eye(2), "must have one dimension, got shape [2, 2]"),
    "object matrix": (np.eye(2).astype(object), "must have one dimension, got shape [2, 2]"),
    "numpy scalar": (np.int64(5), "must have one dimension, got shape []"),
    "foreign type": (pl.Series([1], dtype=pl.Int128), "of type Series is not readable as Arrow: "),
}


@pytest.mark.parametrize(("values", "message"), NO_COLUMNS.values(), ids=NO_COLUMNS.keys())
def test_what_is_no_column_is_refused(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^column 'c' {re.escape(message)}"):
        fingerprint(values, dtype="int64", column="c")


def test_arrow_array_of_foreign_producer_is_read() -> None:
    array = HandMadeArray(b"u", 1, [None, b"\0\0\0\0\1\0\0\0", b"a"])
    assert fingerprint(array, dtype="text").tolist() == expected(["a"], "text")


@pytest.mark.parametrize("cross", [False, True], ids=["alone", "in a cross"])
def test_broken_arrow_array_is_refused_with_its_column(cross: bool) -> None:  # noqa: FBT001
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\2\0\0\0\1\0\0\0"), pa.py_buffer(b"ab")])
    with pytest.raises(DataError, match=r"^column 'c': arrow array: offsets must start at 0"):
        if cross:
            fingerprint_cross([broken], dtypes=["text"], columns=["c"])
        else:
            fingerprint(broken, dtype="text", column="c")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "float"}, "dtype must be \"text\" or \"int64\", got 'float' (column 'c')"),
        ({"dtype": "text", "seed": -1}, "seed must be in [0, 2**64), got -1"),
        ({"dtype": "text", "seed": 2**64}, "seed must be in [0, 2**64), got 18446744073709551616"),
        ({"dtype": "text", "missing": "NA"}, "missing must be a collection of text tokens, got 'NA' (column 'c')"),
        ({"dtype": "text", "missing": [-1]}, "missing must be a collection of text tokens, got [-1] (column 'c')"),
    ],
)
def test_wrong_argument_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        fingerprint(["a"], column="c", **arguments)


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


@pytest.mark.parametrize(
    ("parts", "arguments", "error", "message"),
    [
        ([], {"dtypes": []}, ConfigError, "a cross needs one dtype for each of its parts, got 0 for 0"),
        ([["a"]], {"dtypes": ["text"] * 2}, ConfigError, "a cross needs one dtype for each of its parts, got 2 for 1"),
        ([["a"]], {"dtypes": ["text"], "seed": -1}, ConfigError, "seed must be in [0, 2**64), got -1"),
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


def test_single_value_is_named_in_errors() -> None:
    assert fingerprint_one("46", dtype="int64") == reference.fingerprint(46, "int64")
    with pytest.raises(DataError, match="^column 'user_id' holds 'x' at row 1; "):
        fingerprint_one("x", dtype="int64", column="user_id")
