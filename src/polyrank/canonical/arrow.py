"""Arrow and numpy columns of one type, a whole column at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError

from .reading import (
    BYTES,
    INT64_MAX,
    MAX_EXACT_FLOAT,
    NOT_DECIMAL,
    OUT_OF_RANGE,
    TOO_LARGE,
    Reading,
    float_refusal,
    is_int64,
    to_integer,
    type_refusal,
)

_DECIMAL = r"\A-?[0-9]+\z"


def decoded(chunk: Any) -> Any:
    """Return a canonical chunk with its dictionary, if it has one, spread out."""
    import pyarrow as pa

    if not pa.types.is_dictionary(chunk.type):
        return chunk
    # Arrow gathers from no string_view.
    return _without_views(chunk.dictionary).take(chunk.indices)


def from_numpy(values: NDArray[Any], how: Reading) -> Any:
    """Bring booleans, integers or floats to canonical form; masked ones are missing."""
    import pyarrow as pa

    native = np.ma.getdata(values).astype(values.dtype.newbyteorder("="), copy=False)
    absent = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    if values.dtype.kind == "f":
        return _from_floats(native if absent is None else np.where(absent, np.nan, native), how, 0)
    return _from_integers(pa.array(native, mask=absent), how, 0)


def from_arrow(array: Any, how: Reading, first_row: int) -> Any:  # noqa: PLR0911 (a table of types)
    """Bring an Arrow array whose first value is row `first_row` of its column to canonical form."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind):
        return _from_dictionary(array, how, first_row)
    if pa.types.is_run_end_encoded(kind):
        return from_arrow(_without_runs(array), how, first_row)
    if array.null_count == len(array):
        return _all_missing(len(array), how)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _from_integers(array, how, first_row)
    if pa.types.is_floating(kind):
        return _from_floats(array.to_numpy(zero_copy_only=False), how, first_row)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _from_text(array, how, first_row)
    if pa.types.is_fixed_size_binary(kind):
        array = array.cast(pa.large_binary())
    if _is_bytes(array.type):
        return _from_bytes(array, how, first_row)
    row = _first(array.is_valid())
    raise how.refusal(_shown(array, row), first_row + row, type_refusal(str(kind)))


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _from_dictionary(array: Any, how: Reading, first_row: int) -> Any:
    import pyarrow as pa

    try:
        pa.DictionaryArray.from_arrays(array.indices, array.dictionary, safe=True)
    except (pa.ArrowInvalid, pa.lib.ArrowIndexError) as err:
        raise DataError(f"column {how.column!r} is not a valid dictionary array: {err}") from err
    try:
        dictionary = from_arrow(array.dictionary, how, 0)
    except DataError:
        # A value that no row uses is no error, and one that is used must be named with its row.
        return from_arrow(_without_views(array.dictionary).take(array.indices), how, first_row)
    return pa.DictionaryArray.from_arrays(array.indices, dictionary, safe=False)


def _from_text(array: Any, how: Reading, first_row: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = _without_tokens(array, how)
    if how.dtype == "text":
        return array
    array = _without_views(array)
    is_wrong = pc.invert(pc.match_substring_regex(array, pattern=_DECIMAL))
    if pc.any(is_wrong).as_py():
        row = _first(is_wrong)
        raise how.refusal(_shown(array, row), first_row + row, NOT_DECIMAL)
    try:
        integers = array.cast(pa.int64())
    except pa.ArrowInvalid:
        integers = _parse_one_by_one(array, how, first_row)
    return _without_integers(integers, how)


def _parse_one_by_one(array: Any, how: Reading, first_row: int) -> Any:
    import pyarrow as pa

    integers = [None if text is None else to_integer(text) for text in array.to_pylist()]
    for row, integer in enumerate(integers):
        if integer is not None and not is_int64(integer):
            raise how.refusal(array[row].as_py(), first_row + row, OUT_OF_RANGE)
    return pa.array(integers, pa.int64())


def _from_bytes(array: Any, how: Reading, first_row: int) -> Any:
    if how.dtype == "int64":
        row = _first(array.is_valid())
        raise how.refusal(array[row].as_py(), first_row + row, BYTES)
    return _without_tokens(array, how)


def _from_integers(array: Any, how: Reading, first_row: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if how.dtype == "text":
        return _without_tokens(array.cast(pa.large_string()), how)
    if pa.types.is_uint64(array.type):
        is_large = pc.greater(array, pa.scalar(INT64_MAX, pa.uint64()))
        if pc.any(is_large).as_py():
            row = _first(is_large)
            raise how.refusal(array[row].as_py(), first_row + row, OUT_OF_RANGE)
    return _without_integers(array if pa.types.is_int64(array.type) else array.cast(pa.int64()), how)


def _from_floats(values: NDArray[Any], how: Reading, first_row: int) -> Any:
    import pyarrow as pa

    if values.dtype.itemsize < np.dtype(np.float64).itemsize:
        values = values.astype(np.float64)
    is_missing = np.isnan(values)
    is_wrong = ~is_missing & ((np.trunc(values) != values) | (np.abs(values) > MAX_EXACT_FLOAT))
    if is_wrong.any():
        row = int(is_wrong.argmax())
        value = float(values[row])
        raise how.refusal(value, first_row + row, float_refusal(value) or TOO_LARGE)
    integers = np.where(is_missing, 0, values).astype(np.int64)
    return _from_integers(pa.array(integers, mask=is_missing), how, first_row)


def _without_tokens(array: Any, how: Reading) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not how.missing:
        return array
    array = _without_views(array)
    tokens = pa.array([token.encode() for token in how.missing], pa.binary()).cast(array.type)
    # if_else returns wrong text for a sliced array in pyarrow 18 to 22 at least.
    return pc.replace_with_mask(array, pc.is_in(array, tokens), pa.scalar(None, array.type))


def _without_integers(array: Any, how: Reading) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not how.missing_integers:
        return array
    tokens = pa.array(list(how.missing_integers), pa.int64())
    return pc.replace_with_mask(array, pc.is_in(array, tokens), pa.scalar(None, pa.int64()))


def _without_views(array: Any) -> Any:
    """Arrow's compute functions know no string_view and binary_view."""
    import pyarrow as pa

    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    return array.cast(pa.large_binary()) if pa.types.is_binary_view(array.type) else array


def _without_runs(array: Any) -> Any:
    """Arrow decodes no runs of string_view and binary_view."""
    import pyarrow as pa
    import pyarrow.compute as pc

    runs = pa.RunEndEncodedArray.from_arrays(array.run_ends, _without_views(array.values))
    return pc.run_end_decode(runs.slice(array.offset, len(array)))


def _all_missing(size: int, how: Reading) -> Any:
    import pyarrow as pa

    return pa.nulls(size, pa.large_string() if how.dtype == "text" else pa.int64())


def _first(mask: Any) -> int:
    import pyarrow.compute as pc

    return int(pc.index(mask, True).as_py())


def _shown(array: Any, row: int) -> object:
    """Return the value at `row` for a message, its type's name where Python has no such value."""
    try:
        return array[row].as_py()
    except UnicodeDecodeError:
        return _shown(_without_views(array).cast("large_binary"), row)
    except (ValueError, OverflowError, NotImplementedError):
        return str(array.type)
