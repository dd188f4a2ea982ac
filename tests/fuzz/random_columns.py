"""Random Arrow columns of every type that a feature may arrive in, and of some that it may not."""

import datetime as dt
import decimal
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

MAX_ROWS = 80
DIGITS = ("0", "-0", "007", "46", "-1", str(2**63 - 1), str(-(2**63)), str(2**63), "12.5", "+5", " 5", "", "-")
TOKENS = ("", "NA", "46", "-1", "007", "a", str(2**63))


def text(source: Random) -> str:
    """Return decimal text, or text of up to 100 code points."""
    if source.random() < 0.5:
        return source.choice(DIGITS) if source.random() < 0.2 else str(source.randrange(-100, 10**6))
    return "".join(map(chr, source.choices([*range(0x80), 0xE9, 0x4E2D, 0x1F600], k=source.randrange(101))))


def number(source: Random, low: int, high: int) -> int:
    """Return an integer in [low, high], often near 0 or at an end."""
    kind = source.random()
    return min(max(source.choice([low, high, 0, 1, 46]) if kind < 0.3 else source.randint(low, high), low), high)


def real(source: Random) -> float:
    """Return a float that float16 holds, mostly whole."""
    if source.random() < 0.03:
        return source.choice([0.5, float("inf"), float("nan"), -0.0])
    return float(source.randrange(-2048, 2048))


def long_real(source: Random) -> float:
    """Return a float, now and then at the limit of what integers it holds exactly."""
    return source.choice([2.0**53, -(2.0**53), 2.0**54]) if source.random() < 0.03 else real(source)


def _integers(kind: Any) -> Callable[[Random], Any]:
    limits = np.iinfo(kind.to_pandas_dtype())
    return lambda source: number(source, int(limits.min), int(limits.max))


VALUES: dict[Any, Callable[[Random], Any]] = {
    pa.string(): text,
    pa.large_string(): text,
    pa.string_view(): text,
    pa.binary(): lambda source: source.randbytes(source.randrange(40)),
    pa.large_binary(): lambda source: text(source).encode(),
    pa.binary_view(): lambda source: source.randbytes(source.randrange(40)),
    pa.binary(5): lambda source: source.randbytes(5),
    **{
        kind: _integers(kind)
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    },
    pa.bool_(): lambda source: source.random() < 0.5,
    pa.float16(): lambda source: np.float16(real(source)),
    pa.float32(): real,
    pa.float64(): long_real,
    pa.null(): lambda _: None,
    pa.date32(): lambda source: dt.date.fromordinal(source.randrange(1, 10**6)),
    pa.decimal128(9): lambda source: decimal.Decimal(source.randrange(10**6)),
}
LISTS = (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)


def random_array(source: Random, size: int | None = None, kind: Any = None) -> Any:
    """Return an array with an offset and nulls, plain, dictionary- or run-end-encoded."""
    size = source.randrange(MAX_ROWS) if size is None else size
    kind = kind or source.choice(list(VALUES))
    before, after = source.randrange(70), source.randrange(5)
    absent = source.choice([0.0, 0.1, 1.0])
    values = [None if source.random() < absent else VALUES[kind](source) for _ in range(before + size + after)]
    array = pa.array(values, kind)
    if source.random() < 0.2:
        array = _dictionary(source, array)
    elif source.random() < 0.1 and not pa.types.is_null(kind):
        array = _runs(source, array)
    return array.slice(before, size)


def random_column(source: Random) -> Any:
    """Return an array, or several of one type in a chunked array."""
    first = random_array(source)
    if source.random() < 0.7 or pa.types.is_dictionary(first.type) or pa.types.is_run_end_encoded(first.type):
        return first
    chunks = [chunk for chunk in (random_array(source, kind=first.type) for _ in range(3)) if chunk.type == first.type]
    return pa.chunked_array([first, *chunks])


def random_lists(source: Random, size: int) -> Any:
    """Return an array of lists of one type, with an offset and nulls."""
    kind = source.choice([kind for kind in VALUES if not pa.types.is_float16(kind)])
    before = source.randrange(20)
    if source.random() < 0.2:
        width = source.randrange(5)
        rows = [[_value(source, kind) for _ in range(width)] for _ in range(before + size)]
        return pa.array(rows, pa.list_(kind, width)).slice(before, size)
    lists = [
        None if source.random() < 0.1 else [_value(source, kind) for _ in range(source.randrange(8))]
        for _ in range(before + size)
    ]
    return pa.array(lists, source.choice(LISTS)(kind)).slice(before, size)


def _value(source: Random, kind: Any) -> Any:
    return None if source.random() < 0.1 else VALUES[kind](source)


def _dictionary(source: Random, dictionary: Any) -> Any:
    """Return indices into `dictionary`, as many as it has values."""
    count = len(dictionary)
    if pa.types.is_null(dictionary.type) or count == 0:
        return dictionary
    indices = [None if source.random() < 0.1 else source.randrange(count) for _ in range(count)]
    kind = source.choice([pa.int16(), pa.int32(), pa.int64(), pa.uint16(), pa.uint32(), pa.uint64()])
    return pa.DictionaryArray.from_arrays(pa.array(indices, kind), dictionary)


def _runs(source: Random, values: Any) -> Any:
    """Return the values run-end-encoded, cut to as many rows as there are values."""
    ends = np.cumsum([source.randrange(1, 4) for _ in range(len(values))])
    return pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), values).slice(0, len(values))
