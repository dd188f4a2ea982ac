"""Layouts of memory that the extension reads where they lie: Arrow's and numpy's, sliced, chunked, of every width."""

import decimal
import struct
import threading
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from reference import fingerprint_v1 as reference
from reference.arrow_c_structs import HandMadeArray

from polyrank.canonical import Dtype
from polyrank.errors import DataError
from polyrank.fingerprint import fingerprint, fingerprint_cross, fingerprint_one

WIDTHS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
LONG = "a text of more than twelve bytes"


def expected(values: Any, dtype: str, missing: tuple[str, ...] = ()) -> list[int]:
    return [reference.fingerprint(value, dtype, missing=missing) for value in values]


@pytest.mark.parametrize("offset", range(9))
@pytest.mark.parametrize("dtype", ["text", "int64"])
def test_every_null_pattern_is_missing_at_every_offset(dtype: Dtype, offset: int) -> None:
    for pattern in range(256):
        kept = [5 if pattern >> bit & 1 else None for bit in range(8)]
        column = pa.array([1] * offset + kept + [None], pa.int16())[offset : offset + 8]
        assert fingerprint(column, dtype=dtype).tolist() == expected(kept, dtype)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", ["text", "int64"])
def test_extremes_of_every_width_are_read(width: str, dtype: Dtype) -> None:
    limits = np.iinfo(width)
    values = [int(limits.min), 0, min(int(limits.max), 2**63 - 1)]
    assert fingerprint(np.array(values, width), dtype=dtype).tolist() == expected(values, dtype)
    assert fingerprint(pa.array([None, *values], width)[1:], dtype=dtype).tolist() == expected(values, dtype)
    assert fingerprint(np.array(values, np.dtype(width).newbyteorder()), dtype=dtype).tolist() == expected(
        values, dtype
    )


@pytest.mark.parametrize("index", WIDTHS)
@pytest.mark.parametrize("dtype", ["text", "int64"])
def test_dictionary_of_every_index_type_is_read(index: str, dtype: Dtype) -> None:
    indices = pa.array([2, None, 0, 1, 2], index)
    for values in (pa.array(["7", "-3", None]), pa.array([7, -3, None]), pa.array([7.0, -3.0, float("nan")])):
        column = pa.DictionaryArray.from_arrays(indices, values)
        rows = [None, None, 7, -3, None]
        assert fingerprint(column, dtype=dtype).tolist() == expected(rows, dtype)
        assert fingerprint(column[2:], dtype=dtype).tolist() == expected(rows[2:], dtype)
        assert fingerprint_cross([column, [1] * 5], dtypes=[dtype, "int64"]).tolist() == [
            reference.cross([(row, dtype), (1, "int64")]) for row in rows
        ]


DICTIONARIES: dict[str, tuple[Any, list[Any]]] = {
    "bytes": (pa.array([b"a", b"\xff"]), [b"a", b"\xff"]),
    "views": (pa.array([LONG, "b"], pa.string_view()), [LONG, "b"]),
    "large text": (pa.array(["x", LONG, "b"], pa.large_string())[1:], [LONG, "b"]),
    "fixed bytes": (pa.array([b"abc", b"def"], pa.binary(3)), [b"abc", b"def"]),
    "booleans": (pa.array([True, False]), [True, False]),
    "unsigned": (pa.array([2**64 - 1, 5], pa.uint64()), [2**64 - 1, 5]),
    "halves": (pa.array(np.array([2, -3], np.float16)), [2, -3]),
    "nulls": (pa.nulls(2), [None, None]),
}


@pytest.mark.parametrize(("values", "meant"), DICTIONARIES.values(), ids=DICTIONARIES.keys())
def test_dictionary_of_every_type_is_read(values: Any, meant: list[Any]) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([1, 0, None, 1]), values)
    rows = [meant[1], meant[0], None, meant[1]]
    assert fingerprint(column, dtype="text").tolist() == expected(rows, "text")
    assert fingerprint_cross([column, ["x"] * 4], dtypes=["text", "text"]).tolist() == [
        reference.cross([(row, "text"), ("x", "text")]) for row in rows
    ]


def test_refused_dictionary_value_is_named_at_the_row_that_uses_it() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, None, 2, 1]), pa.array([b"7", None, b"8"]))
    with pytest.raises(DataError, match=r"^column 'c' holds b'7' at row 1; "):
        fingerprint(column, dtype="int64", column="c")
    assert fingerprint(column[3:], dtype="int64").tolist() == [-1]


def test_refusal_counts_rows_through_chunks_of_dictionaries() -> None:
    chunks = [pa.array(["1", "2"]).dictionary_encode(), pa.array(["3", "x"]).dictionary_encode()]
    with pytest.raises(DataError, match=r"^column 'c' holds 'x' at row 4; "):
        fingerprint(pa.chunked_array(chunks), dtype="int64", column="c")
    with pytest.raises(DataError, match=r"^column 'c' holds 'x' at row 4; "):
        fingerprint_cross([pa.chunked_array(chunks)], dtypes=["int64"], columns=["c"])


@pytest.mark.parametrize("width", [0, 1, 3, 16, 40])
def test_fixed_bytes_of_every_width_are_read(width: int) -> None:
    values = [bytes([row % 251] * width) for row in range(2500)]
    column = pa.array([None, *values], pa.binary(width))[1:]
    assert fingerprint(column, dtype="text").tolist() == expected(values, "text")


def test_fixed_bytes_have_missing_tokens() -> None:
    assert fingerprint(pa.array([b"ab", b"NA", None], pa.binary(2)), dtype="text", missing=["NA"]).tolist() == expected(
        [b"ab", None, None], "text"
    )


TEXTS = ["", "a", "é", LONG, "日本", "😀", "NA", "46"]


@pytest.mark.parametrize("missing", [(), ("NA", "é")])
def test_numpy_text_of_every_kind_is_read(missing: tuple[str, ...]) -> None:
    column = np.array(TEXTS, "U")
    found = [column, column.astype(column.dtype.newbyteorder()), column[::1], np.array(TEXTS, np.dtypes.StringDType())]
    for values in found:
        assert fingerprint(values, dtype="text", missing=missing).tolist() == expected(TEXTS, "text", missing)
        assert fingerprint(values[::-2], dtype="text", missing=missing).tolist() == expected(
            TEXTS[::-2], "text", missing
        )


@pytest.mark.parametrize("null", [None, np.nan, pd.NA], ids=str)
def test_null_of_numpy_text_is_missing(null: object) -> None:
    column = np.array(["a", null, LONG], np.dtypes.StringDType(na_object=null))
    assert fingerprint(column, dtype="text").tolist() == expected(["a", None, LONG], "text")


def test_null_of_numpy_text_that_is_text_is_that_text() -> None:
    column = np.array(["a", "none"], np.dtypes.StringDType(na_object="none"))
    assert fingerprint(column, dtype="text").tolist() == expected(["a", "none"], "text")


def test_numpy_bytes_lose_the_nuls_that_fill_them_up() -> None:
    values = [b"", b"a", b"a\0b", b"abc\0"]
    assert fingerprint(np.array(values, "S5"), dtype="text").tolist() == expected([b"", b"a", b"a\0b", b"abc"], "text")
    assert fingerprint(np.array(["7", "-3"], "U"), dtype="int64").tolist() == expected([7, -3], "int64")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([b"", b"46"]), r"holds b'' at row 1; dtype \"int64\" takes no bytes"),
        (np.array(["46", "x"]), r"holds 'x' at row 2; dtype \"int64\" takes decimal integers"),
        (np.array(["46", "\ud800"]), r"holds '\\ud800' at row 2; dtype \"int64\" takes decimal integers"),
        (np.array(["46", "x"], np.dtypes.StringDType()), r"holds 'x' at row 2; dtype \"int64\" takes decimal integers"),
    ],
)
def test_numpy_text_without_integer_is_refused(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fingerprint(values, dtype="int64")


def test_numpy_text_without_utf8_is_refused_unless_it_is_missing() -> None:
    values = np.array(["a", "\ud800"])
    with pytest.raises(DataError, match=r"holds '\\ud800' at row 2; text must have a UTF-8 form"):
        fingerprint(values, dtype="text")
    assert fingerprint(values, dtype="text", missing=["\ud800"]).tolist() == expected(["a", None], "text")


MIXED = ["a", "é", "日本", 7, -7, 2**70, True, 46.0, b"\xff", None, float("nan"), np.int8(3), "NA", bytearray(b"x")]


def test_long_list_of_mixed_values_is_read_in_blocks() -> None:
    meant = [*MIXED[:11], 3, None, b"x"]
    found = fingerprint(MIXED * 300, dtype="text", missing=["NA"])
    assert found.tolist() == expected(meant, "text") * 300
    crossed = fingerprint_cross([MIXED, tuple(MIXED)], dtypes=["text", "text"], missing=[["NA"], ["NA"]])
    assert crossed.tolist() == [reference.cross([(value, "text"), (value, "text")]) for value in meant]


def test_objects_of_a_strided_array_are_read() -> None:
    values = np.array(["a", None, "b", 7], object)
    assert fingerprint(values[::-1], dtype="text").tolist() == expected([7, "b", None, "a"], "text")


def test_pandas_and_polars_columns_are_read_through_the_arrow_stream() -> None:
    texts = ["a", None, LONG]
    for kind in ("string", "str", "category", "string[pyarrow]"):
        assert fingerprint(pd.Series(texts, dtype=kind), dtype="text").tolist() == expected(texts, "text")
    assert fingerprint(pd.Series([True, None], dtype="boolean"), dtype="text").tolist() == expected(
        [True, None], "text"
    )
    chunked = pl.concat([pl.Series(texts), pl.Series(["b"])], rechunk=False)
    assert fingerprint(chunked, dtype="text").tolist() == expected([*texts, "b"], "text")


def test_rows_that_use_only_the_null_of_a_dictionary_are_missing_whatever_its_type() -> None:
    column = pa.DictionaryArray.from_arrays([1, None, 1], pa.array([decimal.Decimal(7), None]))
    assert fingerprint(column, dtype="text").tolist() == [-1, -1, -1]


def dictionary(indices: bytes, kind: bytes = b"i", **fields: Any) -> HandMadeArray:
    column = HandMadeArray(kind, len(indices) // 4, [None, indices], **fields)
    values = HandMadeArray(b"u", 2, [None, struct.pack("<3i", 0, 1, 2), b"ab"])
    column.set_dictionary(values)
    return column


def test_hand_made_dictionary_is_read() -> None:
    assert fingerprint(dictionary(struct.pack("<2i", 1, 0)), dtype="text").tolist() == expected(["b", "a"], "text")


@pytest.mark.parametrize("index", [2, -1, -(2**31), 2**31 - 1])
def test_dictionary_index_outside_is_refused(index: int) -> None:
    with pytest.raises(DataError, match=rf"^column 'c': arrow array: dictionary index {index} at row 2 must be"):
        fingerprint(dictionary(struct.pack("<2i", 0, index)), dtype="text", column="c")


def test_dictionary_without_integer_indices_is_refused() -> None:
    column = dictionary(bytes(8), b"f")
    with pytest.raises(DataError, match=r"dictionary indices must be integers, got format 'f'"):
        fingerprint(column, dtype="text")


def test_broken_values_of_a_dictionary_are_refused() -> None:
    column = HandMadeArray(b"i", 1, [None, bytes(4)])
    column.set_dictionary(HandMadeArray(b"u", 2, [None, struct.pack("<3i", 0, 2, 1), b"ab"]))
    with pytest.raises(DataError, match=r"offsets must start at 0 or above and never decrease"):
        fingerprint(column, dtype="text")


def test_extension_type_is_refused() -> None:
    with pytest.raises(DataError, match=r"takes no extension<arrow\.uuid>: cast it to text or int64"):
        fingerprint(pa.array([b"0" * 16], pa.uuid()), dtype="text")


def test_columns_of_unknown_types_are_refused_in_a_cross() -> None:
    for column in (np.array(["2026-07-01"], "M8[D]"), pa.array([1], pa.date32()), pa.array([[1]])):
        with pytest.raises(DataError, match=r"^column 'parts\[1\]' holds .* at row 1; a categorical feature takes no"):
            fingerprint_cross([["a"], column], dtypes=["text", "text"])


def test_threads_may_share_a_column() -> None:
    column = pa.array([f"user{row}" for row in range(5000)])
    found: list[list[int]] = []
    threads = [threading.Thread(target=lambda: found.append(fingerprint(column, dtype="text").tolist())) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected(column.to_pylist(), "text")] * 2


@pytest.mark.parametrize("value", ["", "é", LONG, b"\xff", 0, -7, 2**63 - 1, -(2**63), True, 46.0, None])
def test_single_value_is_what_a_column_of_it_is(value: Any) -> None:
    assert fingerprint_one(value, dtype="text") == reference.fingerprint(value, "text")
    assert fingerprint_one(value, dtype="text", seed=7) == reference.fingerprint(value, "text", 7)
    if not isinstance(value, str | bytes):
        assert fingerprint_one(value, dtype="int64") == reference.fingerprint(value, "int64")


def test_every_pattern_of_nulls_in_bits_of_booleans_is_read() -> None:
    for offset in range(9):
        column = pa.array([None, *[True, False, None] * 6])[offset : offset + 8]
        assert fingerprint(column, dtype="text").tolist() == expected(column.to_pylist(), "text")


def test_fractions_in_halves_are_refused_as_such() -> None:
    with pytest.raises(DataError, match=r"holds 0\.5 at row 2; whole numbers expected"):
        fingerprint(np.array([1, 0.5], np.float16), dtype="int64")
