"""Values to fingerprints: the 64-bit integers that stand for categorical values, the same in every place and language.

The format is docs/fingerprint.md, version 1: XXH64 with seed 42 of the value's canonical bytes, sign bit cleared, -1
for a missing value. A fingerprint knows nothing of any model; a model maps it to a row of its own tables.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import ConfigError, DataError

from . import _native
from .canonical import Dtype, Reading, as_rows, canonical_chunks, decoded, new_reading

HASH_NAME = "xxh64"
HASH_VERSION = 1
DEFAULT_SEED = 42
MISSING = -1

try:
    LEVEL = _native.level()
    """The vector instructions that the kernels run on: `scalar`, `avx2` or `avx512`; POLYRANK_ISA forces one."""
except ValueError as err:
    raise ConfigError(str(err)) from err


def fingerprint(
    values: Any,
    *,
    dtype: Dtype,
    seed: int = DEFAULT_SEED,
    missing: Collection[str] = (),
    out: NDArray[np.int64] | None = None,
    column: str = "values",
) -> NDArray[np.int64]:
    """Fingerprint each value of a column.

    The declared `dtype` decides the bytes that are hashed, however the values arrive: 46, "46" and 46.0 are one value.
    Arrow text under `text`, and Arrow or numpy int64 under `int64`, are hashed where they lie, without a copy.

    >>> fingerprint([46, "46", 46.0, None], dtype="int64").tolist()
    [1516787460400590945, 1516787460400590945, 1516787460400590945, -1]

    Args:
        values: a pyarrow array or chunked array, a numpy array [n], a list of Python values, or anything with the Arrow
            PyCapsule interface, such as a pandas or polars series.
        dtype: `"text"` (text and bytes as they are, numbers in decimal) or `"int64"`.
        seed: in [0, 2**64). Only the default is part of the format.
        missing: tokens that count as missing beside null and NaN. Under `text` they are compared with the bytes that
            would be hashed; under `int64` with text as it arrives, and as integers with every value.
        out: contiguous int64 [n] to write into and return. May be `values` itself. After an error its content is
            unspecified.
        column: the name that errors call the column by.

    Returns:
        int64 [n], each in [0, 2**63), or -1 for a missing value.

    Raises:
        DataError: a value has no canonical form under `dtype`, or `values` is no column.
        ConfigError: `dtype`, `seed` or `missing` is wrong.
        TypeError: `out` is no int64 array.
        ValueError: `out` has another shape, is not contiguous or not writable, or overlaps `values` in part.
    """
    how = new_reading(dtype, missing, column)
    _check_seed(seed)
    rows = as_rows(values, column)
    if not missing:
        if isinstance(rows, np.ndarray) and dtype == "int64" and rows.dtype == np.int64 and type(rows) is np.ndarray:
            return _native.fingerprint_int64(np.require(rows, requirements=["C", "A"]), seed, out)
        if isinstance(rows, list) and dtype == "text" and set(map(type, rows)) <= {str, type(None)}:
            return _fingerprint_list(rows, seed, out, how)
    result = _native.output(out, len(rows))
    start = 0
    for chunk in canonical_chunks(rows, how):
        _fingerprint_chunk(chunk, seed, result[start : start + len(chunk)], column)
        start += len(chunk)
    return result


def fingerprint_one(
    value: object,
    *,
    dtype: Dtype,
    seed: int = DEFAULT_SEED,
    missing: Collection[str] = (),
    column: str = "value",
) -> int:
    """Fingerprint a single value; see `fingerprint`.

    >>> fingerprint_one("Spark", dtype="text")
    4928903979163710903

    Raises:
        DataError: the value has no canonical form under `dtype`.
    """
    return int(fingerprint([value], dtype=dtype, seed=seed, missing=missing, column=column)[0])


def fingerprint_cross(
    parts: Sequence[Any],
    *,
    dtypes: Sequence[Dtype],
    seed: int = DEFAULT_SEED,
    missing: Sequence[Collection[str]] | None = None,
    columns: Sequence[str] | None = None,
) -> NDArray[np.int64]:
    """Fingerprint each row of several columns as one value: a cross.

    The order of the parts matters. A row is missing if any of its parts is.

    >>> fingerprint_cross([["de", "fr"], [7, None]], dtypes=["text", "int64"]).tolist()
    [8886550411464952559, -1]

    Args:
        parts: columns of equal length n, each as `fingerprint` takes it.
        dtypes: one for each part.
        seed: in [0, 2**64).
        missing: the missing tokens of each part.
        columns: the names that errors call the parts by.

    Returns:
        int64 [n].

    Raises:
        DataError: a value has no canonical form, or the parts differ in length.
        ConfigError: there is no part, or an argument is not one for each part.
    """
    _check_seed(seed)
    names = [f"parts[{index}]" for index in range(len(parts))] if columns is None else columns
    tokens = [()] * len(parts) if missing is None else missing
    if not parts or not len(parts) == len(dtypes) == len(tokens) == len(names):
        raise ConfigError(f"a cross needs one dtype for each of its parts, got {len(dtypes)} for {len(parts)}")
    readings = [new_reading(*described) for described in zip(dtypes, tokens, names, strict=True)]
    columns_of_rows = [as_rows(part, how.column) for part, how in zip(parts, readings, strict=True)]
    lengths = [len(rows) for rows in columns_of_rows]
    if len(set(lengths)) > 1:
        raise DataError(f"the parts of a cross must have equal lengths, got {lengths} ({', '.join(names)})")
    states = np.full(lengths[0], seed, np.uint64)
    is_missing = np.zeros(lengths[0], np.bool_)
    for rows, how in zip(columns_of_rows, readings, strict=True):
        _chain(rows, how, states, is_missing)
    fingerprints = (states & np.uint64(2**63 - 1)).astype(np.int64)
    fingerprints[is_missing] = MISSING
    return fingerprints


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**64:
        raise ConfigError(f"seed must be in [0, 2**64), got {seed}")


def _fingerprint_list(items: list[Any], seed: int, out: NDArray[np.int64] | None, how: Reading) -> NDArray[np.int64]:
    try:
        return _native.fingerprint_list(items, seed, out)
    except ValueError:
        for _ in canonical_chunks(items, how):  # raises for the lone surrogate, naming its row
            pass
        raise


def _fingerprint_chunk(chunk: Any, seed: int, out: NDArray[np.int64], column: str) -> None:
    import pyarrow as pa

    if not pa.types.is_dictionary(chunk.type):
        try:
            schema, array = chunk.__arrow_c_array__()
            _native.fingerprint_arrow(schema, array, seed, out)
        except ValueError as err:
            raise DataError(f"column {column!r}: {err}") from err
        return
    known = np.empty(len(chunk.dictionary) + 1, np.int64)
    known[-1] = MISSING  # where null indices are sent
    _fingerprint_chunk(chunk.dictionary, seed, known[:-1], column)
    indices = chunk.indices.cast(pa.int64()).fill_null(len(chunk.dictionary))
    np.take(known, indices.to_numpy(), out=out, mode="clip")  # "raise" would go through a buffer; indices are checked


def _chain(rows: Any, how: Reading, states: NDArray[np.uint64], is_missing: NDArray[np.bool_]) -> None:
    start = 0
    for chunk in map(decoded, canonical_chunks(rows, how)):
        stop = start + len(chunk)
        try:
            schema, array = chunk.__arrow_c_array__()
            _native.chain_arrow(schema, array, states[start:stop])
        except ValueError as err:
            raise DataError(f"column {how.column!r}: {err}") from err
        is_missing[start:stop] |= chunk.is_null().to_numpy(zero_copy_only=False)
        start = stop
