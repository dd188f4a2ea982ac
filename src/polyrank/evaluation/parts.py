"""Rows in parts: by the values of a column, or by fifths of numbers."""

import dataclasses
import math
from collections.abc import Callable, Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyrank.errors import ConfigError

from .findings import SliceKind

MAX_PARTS = 12
NUMBER_PARTS = 5
LARGEST_WRITTEN = 1e15
"""Whole numbers below it are written with all their digits."""
MISSING, OTHERS = "missing", "others"


@dataclasses.dataclass(frozen=True)
class Parts:
    """Which part each row is in.

    Attributes:
        by: what it is sliced by.
        kind: see `Slice`.
        names: of the parts, in their order.
        codes: int64 [B], the part of each row by its place in `names`; -1 is in none.
    """

    by: str
    kind: SliceKind
    names: tuple[str, ...]
    codes: NDArray[np.int64]


def parts_of_column(by: str, column: pa.ChunkedArray, *, is_categorical: bool, missing: Collection[str] = ()) -> Parts:
    """Part rows by the value of a column: a categorical one by value, lists by length, many numbers or times by fifths.

    Args:
        by: its name.
        column: its values.
        is_categorical: it is a feature whose numbers are names.
        missing: values as text that a feature takes for missing.

    Raises:
        ConfigError: the column is of a type that `check_parting` refuses.
    """
    kind = column.type
    check_parting(by, kind)
    if _is_list(kind) and not is_categorical:
        return parts_of_numbers(f"length of {by}", "column", pc.list_value_length(column))
    is_real, is_time = _is_real(kind), pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    if is_categorical or not (is_real or ((pa.types.is_integer(kind) or is_time) and _are_many(column))):
        return _parts_of_values(by, column, missing)
    if is_time:
        seconds = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
        return parts_of_numbers(by, "column", seconds, write=_day if pa.types.is_date(kind) else _second)
    return parts_of_numbers(by, "column", column.cast(pa.float64(), safe=False))


def check_parting(by: str, kind: pa.DataType) -> None:
    """Refuse a type whose values part no rows.

    Raises:
        ConfigError: it holds other columns, or spans of the calendar.
    """
    if (pa.types.is_nested(kind) and not _is_list(kind)) or pa.types.is_interval(kind):
        raise ConfigError(f"by names column {by!r} of type {kind}; name one of numbers, text, times or lists")


def _is_list(kind: pa.DataType) -> bool:
    return str(kind).startswith(("list", "large_list", "fixed_size_list"))


def _is_real(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _are_many(column: pa.ChunkedArray) -> bool:
    return bool(pc.count_distinct(column).as_py() > MAX_PARTS)


def parts_of_numbers(
    by: str, kind: SliceKind, column: pa.ChunkedArray, *, write: Callable[[float], str] | None = None
) -> Parts:
    """Part rows by fifths of a column of numbers, as far as equal numbers allow; `write` names their ends."""
    values = column.to_numpy().astype(np.float64)
    known = np.isfinite(values)
    if not known.any():
        return Parts(by, kind, (MISSING,), np.zeros(len(values), np.int64))
    cuts = np.unique(np.quantile(values[known], np.linspace(0, 1, NUMBER_PARTS + 1)[1:-1], method="lower"))
    codes = np.searchsorted(cuts, values)
    codes[~known] = len(cuts) + 1
    present, codes = np.unique(codes, return_inverse=True)
    names = tuple(
        MISSING if code > len(cuts) else _range(values[known & (codes == at)], write or _number)
        for at, code in enumerate(present)
    )
    return Parts(by, kind, names, codes.astype(np.int64))


def _range(values: NDArray[np.float64], write: Callable[[float], str]) -> str:
    low, high = float(values.min()), float(values.max())
    return write(low) if low == high else f"{write(low)} to {write(high)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < LARGEST_WRITTEN else f"{value:.6g}"


def _second(value: float) -> str:
    return str(np.datetime64(int(value), "s"))


def _day(value: float) -> str:
    return _second(value).partition("T")[0]


def _parts_of_values(by: str, column: pa.ChunkedArray, missing: Collection[str]) -> Parts:
    """Part rows by value: the most frequent ones, in the order of values, then others, then what is missing."""
    codes, values = _coded(column)
    codes[np.isin(codes, [code for code, value in enumerate(values) if value in missing])] = -1
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    most = np.argsort(-counts, kind="stable")[: MAX_PARTS if np.count_nonzero(counts) <= MAX_PARTS else MAX_PARTS - 1]
    shown = sorted((code for code in most.tolist() if counts[code]), key=lambda code: _natural(values[code]))
    places = np.full(len(values) + 1, len(shown))
    places[shown] = np.arange(len(shown))
    places[-1] = len(shown) + 1
    names = [*(values[code] for code in shown), OTHERS, MISSING]
    found = places[codes]
    present, found = np.unique(found, return_inverse=True)
    return Parts(by, "column", tuple(names[place] for place in present), found.astype(np.int64))


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Return the value of each row as a number, int64 [B], -1 where it is missing, and the values as text, each once.

    A dictionary may hold a value twice, and a missing one, so its values are numbered themselves.
    """
    whole = (column.cast(pa.string()) if pa.types.is_decimal(column.type) else column).combine_chunks()
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    values = coded.dictionary
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values.cast(pa.float64())), pa.scalar(None, values.type), values)
    distinct = values.dictionary_encode()
    numbers = np.append(_indices(distinct), -1)
    return numbers[_indices(coded)], _texts(distinct.dictionary)


def _indices(coded: pa.DictionaryArray) -> NDArray[np.int64]:
    return np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _texts(values: pa.Array) -> list[str]:
    kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return [value.decode(errors="replace") for value in values.to_pylist()]
    return [str(value) for value in values.cast(pa.string()).to_pylist()]


def _natural(value: str) -> tuple[int, float, str]:
    """Order numbers as numbers, and text after them."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    return (1, 0.0, value) if math.isnan(number) else (0, number, "")
