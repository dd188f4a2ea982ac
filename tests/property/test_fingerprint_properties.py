"""What holds for all values: the reference, the xxhash package and the kernel agree, however a column is laid out."""

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from reference import fingerprint_v1 as reference

from polyrank.errors import DataError
from polyrank.fingerprint import fingerprint, fingerprint_cross

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
TEXT_TYPES = st.sampled_from([pa.string(), pa.large_string(), pa.string_view()])
BYTES_TYPES = st.sampled_from([pa.binary(), pa.large_binary()])
INTEGER_TYPES = st.sampled_from([pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32()])
DTYPES = st.sampled_from(["text", "int64"])
SEEDS = st.integers(0, 2**64 - 1)
MASK = 2**63 - 1


def columns_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, max_size=40)


def sliced(values: list[Any], kind: Any, start: int, stop: int) -> tuple[Any, list[Any]]:
    return pa.array(values, kind)[start:stop], values[start:stop]


BOUNDS = st.integers(0, 40)


@given(data=st.binary(max_size=300), seed=SEEDS)
def test_reference_equals_the_xxhash_package(data: bytes, seed: int) -> None:
    assert reference.xxh64(data, seed) == xxhash.xxh64_intdigest(data, seed)


@given(keys=st.lists(st.binary(max_size=300), min_size=1), seed=SEEDS)
def test_kernel_equals_the_xxhash_package(keys: list[bytes], seed: int) -> None:
    found = fingerprint(pa.array(keys, pa.binary()), dtype="text", seed=seed)
    assert found.tolist() == [xxhash.xxh64_intdigest(key, seed) & MASK for key in keys]


def test_a_million_random_keys_equal_the_xxhash_package() -> None:
    rng = np.random.default_rng(20260701)
    lengths = rng.integers(0, 65, 1_000_000)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    data = rng.bytes(int(offsets[-1]))
    keys = pa.Array.from_buffers(pa.binary(), lengths.size, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    digest = xxhash.xxh64_intdigest
    expected = np.fromiter((digest(key, 42) for key in keys.to_pylist()), np.uint64, lengths.size)
    np.testing.assert_array_equal(fingerprint(keys, dtype="text"), (expected & np.uint64(MASK)).astype(np.int64))


def test_a_million_random_integers_equal_the_xxhash_package() -> None:
    values = np.random.default_rng(20260702).integers(-(2**63), 2**63, 1_000_000, dtype=np.int64)
    memory = memoryview(values.astype("<i8").tobytes())
    digest = xxhash.xxh64_intdigest
    expected = np.fromiter((digest(memory[at : at + 8], 42) for at in range(0, 8_000_000, 8)), np.uint64, values.size)
    np.testing.assert_array_equal(fingerprint(values, dtype="int64"), (expected & np.uint64(MASK)).astype(np.int64))


@given(values=columns_of(TEXT), kind=TEXT_TYPES, start=BOUNDS, stop=BOUNDS)
def test_sliced_text_equals_the_reference(values: list[str | None], kind: Any, start: int, stop: int) -> None:
    column, kept = sliced(values, kind, start, stop)
    assert fingerprint(column, dtype="text").tolist() == [reference.fingerprint(value, "text") for value in kept]


@given(values=columns_of(st.binary(max_size=60)), kind=BYTES_TYPES, start=BOUNDS, stop=BOUNDS)
def test_sliced_bytes_equal_the_reference(values: list[bytes | None], kind: Any, start: int, stop: int) -> None:
    column, kept = sliced(values, kind, start, stop)
    assert fingerprint(column, dtype="text").tolist() == [reference.fingerprint(value, "text") for value in kept]


@given(values=columns_of(INT64), start=BOUNDS, stop=BOUNDS, dtype=st.sampled_from(["text", "int64"]))
def test_sliced_integers_equal_the_reference(values: list[int | None], start: int, stop: int, dtype: Any) -> None:
    column, kept = sliced(values, pa.int64(), start, stop)
    assert fingerprint(column, dtype=dtype).tolist() == [reference.fingerprint(value, dtype) for value in kept]


@given(values=columns_of(st.integers(0, 127)), kind=INTEGER_TYPES, dtype=st.sampled_from(["text", "int64"]))
def test_width_and_sign_of_integers_do_not_matter(values: list[int | None], kind: Any, dtype: Any) -> None:
    expected = [reference.fingerprint(value, dtype) for value in values]
    assert fingerprint(pa.array(values, kind), dtype=dtype).tolist() == expected


@given(values=columns_of(st.integers(-(2**53), 2**53)), data=st.data(), dtype=st.sampled_from(["text", "int64"]))
def test_the_way_a_number_arrives_does_not_matter(values: list[int | None], data: st.DataObject, dtype: Any) -> None:
    casts = st.sampled_from([int, float, str, np.int64, np.float64])
    arrived = [None if value is None else data.draw(casts)(value) for value in values]
    expected = [reference.fingerprint(value, dtype) for value in values]
    assert fingerprint(arrived, dtype=dtype).tolist() == expected
    assert fingerprint(np.array(arrived, object), dtype=dtype).tolist() == expected


@given(values=columns_of(TEXT), cuts=st.lists(BOUNDS, max_size=3).map(sorted))
def test_chunks_and_dictionaries_do_not_matter(values: list[str | None], cuts: list[int]) -> None:
    edges = [0, *cuts, 40]
    chunks = [pa.array(values[a:b], pa.string()) for a, b in itertools.pairwise(edges)]
    column = pa.chunked_array(chunks, pa.string())
    expected = [reference.fingerprint(value, "text") for value in values]
    assert fingerprint(values, dtype="text").tolist() == expected
    assert fingerprint(column, dtype="text").tolist() == expected
    assert fingerprint(column.dictionary_encode(), dtype="text").tolist() == expected


@given(values=columns_of(TEXT | INT64.map(str)), missing=st.sets(TEXT | INT64.map(str), max_size=3))
def test_missing_tokens_equal_the_reference(values: list[str | None], missing: set[str]) -> None:
    tokens = [*missing, *[value for value in values[:2] if value is not None]]
    expected = [reference.fingerprint(value, "text", missing=tokens) for value in values]
    assert fingerprint(values, dtype="text", missing=tokens).tolist() == expected
    assert fingerprint(pa.array(values, pa.string_view()), dtype="text", missing=tokens).tolist() == expected
    column, _ = sliced([None, "before", *values, "after"], pa.string(), 2, 2 + len(values))
    assert fingerprint(column, dtype="text", missing=tokens).tolist() == expected


@given(rows=st.lists(st.tuples(st.none() | TEXT, st.none() | INT64, TEXT), max_size=20), seed=SEEDS)
def test_cross_equals_the_reference(rows: list[tuple[str | None, int | None, str]], seed: int) -> None:
    first, second, third = ([row[part] for row in rows] for part in range(3))
    parts = [pa.array(first, pa.string()), pa.array(second, pa.int64()), third]
    found = fingerprint_cross(parts, dtypes=["text", "int64", "text"], seed=seed)
    assert found.tolist() == [
        reference.cross([(row[0], "text"), (row[1], "int64"), (row[2], "text")], seed) for row in rows
    ]


@given(values=st.lists(INT64, max_size=20), step=st.sampled_from([-3, -1, 1, 2]))
def test_strided_integers_equal_the_reference(values: list[int], step: int) -> None:
    found = fingerprint(np.array(values, np.int64)[::step], dtype="int64")
    assert found.tolist() == [reference.fingerprint(value, "int64") for value in values[::step]]


@given(values=columns_of(TEXT | st.from_regex(r"-?[0-9]{1,24}", fullmatch=True)), kind=TEXT_TYPES)
def test_text_is_the_integer_that_the_reference_reads_or_refused(values: list[str | None], kind: Any) -> None:
    readable = []
    for value in values:
        try:
            readable.append((value, reference.fingerprint(value, "int64")))
        except ValueError:
            with pytest.raises(DataError, match=r"at row 2; "):
                fingerprint(pa.array(["1", value], kind), dtype="int64")
    texts = [value for value, _ in readable]
    expected = [found for _, found in readable]
    assert fingerprint(pa.array(texts, kind), dtype="int64").tolist() == expected
    assert fingerprint(texts, dtype="int64").tolist() == expected


@given(values=columns_of(TEXT), indices=st.lists(st.none() | st.integers(0, 39), max_size=60), data=st.data())
def test_dictionary_with_nulls_equals_the_reference(
    values: list[str | None], indices: list[int | None], data: st.DataObject
) -> None:
    start, stop = data.draw(st.tuples(BOUNDS, BOUNDS))
    used = [index if index is not None and index < len(values) else None for index in indices]
    kind = data.draw(st.sampled_from(["int8", "uint16", "int32", "uint64"]))
    column = pa.DictionaryArray.from_arrays(pa.array(used, kind), pa.array(values, data.draw(TEXT_TYPES)))
    rows = [None if index is None else values[index] for index in used]
    assert fingerprint(column[start:stop], dtype="text").tolist() == [
        reference.fingerprint(row, "text") for row in rows[start:stop]
    ]


@given(values=st.lists(st.floats(width=32) | st.integers(-(2**24), 2**24).map(float), max_size=20), dtype=DTYPES)
def test_floats_are_whole_numbers_or_refused(values: list[float], dtype: Any) -> None:
    for value in values:
        try:
            expected = [reference.fingerprint(value, dtype)]
        except ValueError:
            with pytest.raises(DataError, match=r"at row 1; "):
                fingerprint(np.array([value], np.float32), dtype=dtype)
        else:
            for column in (np.array([value], np.float32), pa.array([value]), [value]):
                assert fingerprint(column, dtype=dtype).tolist() == expected


MIXED = st.none() | st.booleans() | st.integers() | TEXT | st.binary(max_size=40) | st.integers(-9, 9).map(float)


@given(values=st.lists(MIXED, max_size=40), missing=st.sets(TEXT | INT64.map(str), max_size=3))
def test_mixed_values_equal_the_reference(values: list[Any], missing: set[str]) -> None:
    expected = [reference.fingerprint(value, "text", missing=missing) for value in values]
    assert fingerprint(values, dtype="text", missing=missing).tolist() == expected
    assert fingerprint(np.array([*values, None], object), dtype="text", missing=missing).tolist()[:-1] == expected
    crossed = fingerprint_cross([values, values], dtypes=["text", "text"], missing=[missing, missing])
    pairs = ([(value, "text"), (value, "text")] for value in values)
    assert crossed.tolist() == [reference.cross(pair, missing=missing) for pair in pairs]


@given(values=st.lists(TEXT.map(lambda text: text.rstrip("\0")), min_size=1, max_size=20))
def test_numpy_text_equals_the_reference(values: list[str]) -> None:
    expected = [reference.fingerprint(value, "text") for value in values]
    assert fingerprint(np.array(values, "U"), dtype="text").tolist() == expected
    assert fingerprint(np.array(values, np.dtypes.StringDType()), dtype="text").tolist() == expected
