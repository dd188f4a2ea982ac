"""Values to fingerprints: the 64-bit integers that stand for categorical values, the same in every place and language.

The format is docs/fingerprint.md, version 1: XXH64 with seed 42 of the value's canonical bytes, sign bit cleared, -1
for a missing value. A fingerprint knows nothing of any model; a model maps it to a row of its own tables.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import integer, listed, named
from polyrank.errors import ConfigError, DataError

from . import _native
from .canonical import Dtype, Reading, as_rows, known_rows, new_reading, worded

HASH_NAME = "xxh64"
HASH_VERSION = 1
DEFAULT_SEED = 42
MISSING = -1

_SEED_END = 2**64
_T = TypeVar("_T")

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
        out: contiguous int64 [n] to write into and return. May be the memory of `values`, in whole or in part. After
            an error its content is unspecified.
        column: the name that errors call the column by.

    Returns:
        int64 [n], each in [0, 2**63), or -1 for a missing value.

    Raises:
        DataError: a value has no canonical form under `dtype`, or `values` is no column.
        ConfigError: `dtype`, `seed`, `missing` or `column` is wrong.
        TypeError: `out` is no int64 array.
        ValueError: `out` has another shape, is not contiguous or not writable.
    """
    how = new_reading(dtype, missing, column)
    arguments = (how.dtype, checked_seed(seed), how.missing, how.odd_value, out)
    return _natively(_native.fingerprint, as_rows(values, column), how, arguments)


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
        ConfigError: as for `fingerprint`.
    """
    known = _native.fingerprint_one(value, dtype, seed, missing)
    if known is not None and isinstance(column, str):
        return known
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
        ConfigError: there is no part, an argument has not one entry for each part, or an entry is wrong.
    """
    seed = checked_seed(seed)
    parts = listed("parts", parts, "columns such as [rows['a'], rows['b']]")
    names = [f"parts[{index}]" for index in range(len(parts))] if columns is None else columns
    tokens = [()] * len(parts) if missing is None else missing
    for name, entries in (("dtypes", dtypes), ("missing", tokens), ("columns", names)):
        _check_one_each(name, entries, len(parts))
    readings = [new_reading(*described) for described in zip(dtypes, tokens, names, strict=True)]
    columns_of_rows = [as_rows(part, how.column) for part, how in zip(parts, readings, strict=True)]
    taken = [_natively(_native.take_rows, rows, how) for rows, how in zip(columns_of_rows, readings, strict=True)]
    lengths = [size for _, size in taken]
    if len(set(lengths)) > 1:
        raise DataError(f"the parts of a cross must have equal lengths, got {lengths} ({', '.join(names)})")
    states = np.full(lengths[0], seed, np.uint64)
    is_missing = np.zeros(lengths[0], np.bool_)
    for rows, (part, _), how in zip(columns_of_rows, taken, readings, strict=True):
        _chain(rows, part, how, states, is_missing)
    fingerprints = (states & np.uint64(2**63 - 1)).astype(np.int64)
    fingerprints[is_missing] = MISSING
    return fingerprints


def checked_seed(seed: object) -> int:
    """Return `seed` as an int.

    Raises:
        ConfigError: it is not an integer in [0, 2**64).
    """
    if type(seed) is int and 0 <= seed < _SEED_END:  # by far the most, in a third of the time
        return seed
    return integer("seed", seed, range(_SEED_END), "[0, 2**64)")


def _check_one_each(name: str, entries: object, num_parts: int) -> None:
    if not isinstance(entries, list | tuple):
        raise ConfigError(f"{name} must be a list with one entry for each part, got {named(entries)}")
    if len(entries) != num_parts:
        raise ConfigError(f"{name} must have one entry for each part, got {len(entries)} for {num_parts}")


def _chain(rows: Any, taken: object, how: Reading, states: NDArray[np.uint64], is_missing: NDArray[np.bool_]) -> None:
    """Chain one part of a cross; `taken` is what the extension has taken of `rows`."""

    def call(part: Any) -> None:
        _native.chain(taken if part is rows else part, how.dtype, how.missing, how.odd_value, states, is_missing)

    _natively(call, rows, how)


def _natively(call: Callable[..., _T], rows: Any, how: Reading, arguments: Sequence[Any] = ()) -> _T:
    """Return `call(rows, *arguments)`; word what the extension refuses, and turn layouts that it does not know."""
    try:
        return call(rows, *arguments)
    except _native.RefusalError as err:
        raise worded(rows, how, *err.args) from err
    except _native.ExportError as err:
        raise how.unreadable(rows, err) from err
    except _native.ArrayError as err:
        raise how.malformed(err) from err
    except _native.UnknownLayoutError:
        pass
    return _natively(call, known_rows(rows, how), how, arguments)
