"""Random tables of every type of column, groups over them, and what the reference says of each row."""

import decimal
import itertools
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from fuzz.random_columns import TOKENS, VALUES, random_array, random_lists
from reference import fingerprint_v1 as reference

from polyrank.canonical import Dtype
from polyrank.table import (
    BagGroup,
    CategoricalGroup,
    CrossGroup,
    Field,
    Group,
    NGramGroup,
    NumberGroup,
    VectorGroup,
)

DTYPES: tuple[Dtype, Dtype] = ("text", "int64")
NUMBERS = (pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_())
SCALARS = ("a", "b", "number")
DIM = 3
Row = dict[str, Any]


class RefusedError(Exception):
    """The reference has no answer for a row; the column is the reason."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def random_table(source: Random) -> pa.Table:
    """Return columns a and b of values, `number`, `bag` of lists, `weights` of as many numbers and `vector`."""
    size = source.randrange(2000, 5000) if source.random() < 0.01 else source.randrange(1, 40)
    bags = random_lists(source, size)
    columns = {
        **{name: random_array(source, size) for name in "ab"},
        "number": random_array(source, size, source.choice(NUMBERS)),
        "bag": bags,
        "weights": _weights(source, bags.to_pylist()),
        "vector": _vectors(source, size),
    }
    return pa.table({name: _in_chunks(source, column) for name, column in columns.items()})


def random_groups(source: Random) -> list[Group]:
    """Return one to twelve groups over the columns of `random_table`."""
    return [_group(source) for _ in range(source.randrange(1, 13))]


def slots(group: Group, row: Row) -> list[int]:
    """Return what the reference writes into `ids`; RefusedError where it has no answer."""
    match group:
        case CategoricalGroup(field=field):
            return [reference.chained([_key(row, field)])]
        case CrossGroup(parts=parts):
            return [reference.chained([_key(row, part) for part in parts])]
        case BagGroup(field=field, max_length=size):
            values = row[field.name] or []
            return padded([reference.chained([_key({field.name: value}, field)]) for value in values], size, -1)
        case NGramGroup(field=field, sizes=sizes, max_length=size):
            return padded(_ngrams(row, field, sizes), size, -1)
        case _:
            return []


def weights(group: Group, row: Row) -> list[float]:
    """Return what the reference writes into `weights`."""
    if not isinstance(group, BagGroup) or group.weights is None:
        return []
    numbers, values = row[group.weights] or [], row[group.field.name] or []
    if len(numbers) != len(values):
        raise RefusedError(group.weights)
    return padded([0.0 if number is None else float(number) for number in numbers], group.max_length, 0.0)


def dense(group: Group, row: Row) -> list[float]:
    """Return what the reference writes into `dense`."""
    match group:
        case NumberGroup(name=name):
            return [_number(name, row[name], log1p=group.log1p)]
        case VectorGroup(name=name, dim=dim):
            return _vector(name, row[name], dim)
        case _:
            return []


def padded(values: list[Any], size: int, padding: Any) -> list[Any]:
    """Return `values`, cut or padded to `size`."""
    return [*values, *[padding] * size][:size]


def _number(name: str, value: Any, *, log1p: bool) -> float:
    if value is not None and not isinstance(value, bool | int | float | np.float16 | decimal.Decimal):
        raise RefusedError(name)
    narrow = np.nan if value is None else float(np.float32(float(value)))
    if np.isinf(narrow) or (log1p and narrow < 0):
        raise RefusedError(name)
    return narrow


def _vector(name: str, value: list[Any] | None, dim: int) -> list[float]:
    if value is None:
        return [np.nan] * dim
    if len(value) != dim or None in value:
        raise RefusedError(name)
    return [float(np.float32(number)) for number in value]


def _key(row: Row, field: Field) -> bytes | None:
    value = row[field.name]
    plain = float(value) if isinstance(value, np.float16) else value
    try:
        return reference.canonical_bytes(plain, field.dtype, field.missing)
    except ValueError:
        raise RefusedError(field.name) from None


def _ngrams(row: Row, field: Field, sizes: Sequence[int]) -> list[int]:
    key = _key(row, field)
    try:
        return [] if key is None else reference.ngrams(key.decode(), sizes)
    except UnicodeDecodeError:
        raise RefusedError(field.name) from None


def _group(source: Random) -> Group:
    field = _field(source, source.choice("ab"), source.choice(DTYPES))
    max_length = source.choice([1, 2, 3, 8, 20])
    match source.randrange(7):
        case 0:
            return CategoricalGroup(field=field)
        case 1:
            parts = source.choices(SCALARS, k=source.randrange(1, 4))
            return CrossGroup(parts=tuple(_field(source, part, source.choice(DTYPES)) for part in parts))
        case 2:
            bag = _field(source, "bag", source.choice(DTYPES))
            return BagGroup(field=bag, max_length=max_length, weights=source.choice([None, "weights"]))
        case 3:
            sizes = tuple(source.choices([1, 2, 3, 7], k=source.randrange(1, 4)))
            return NGramGroup(field=_field(source, field.name, "text"), sizes=sizes, max_length=max_length)
        case 4:
            return VectorGroup(name="vector", dim=DIM)
        case _:
            return NumberGroup(name=source.choice(["number", field.name]), log1p=source.random() < 0.1)


def _field(source: Random, name: str, dtype: Dtype) -> Field:
    return Field(name=name, dtype=dtype, missing=tuple(source.sample(TOKENS, source.randrange(3))))


def _weights(source: Random, bags: list[Any]) -> pa.Array:
    """Return numbers for each value of each bag; seldom one too many."""
    kind = source.choice([pa.float32(), pa.float64(), pa.int32()])
    rows = [
        None if bag is None else [VALUES[pa.int8()](source) for _ in range(len(bag) + (source.random() < 0.001))]
        for bag in bags
    ]
    return pa.array(rows, source.choice([pa.list_, pa.large_list, pa.list_view])(kind))


def _vectors(source: Random, size: int) -> pa.Array:
    """Return vectors of DIM numbers, some missing; seldom one that is too long or lacks a number."""
    kind = source.choice([pa.int16(), pa.uint64(), pa.float32(), pa.float64()])
    rows: list[Any] = [
        None if source.random() < 0.1 else [source.randrange(10**4) for _ in range(DIM)] for _ in range(size)
    ]
    if source.random() < 0.5:
        return pa.array(rows, pa.list_(kind, DIM))
    wrong = source.randrange(size)
    if source.random() < 0.1:
        rows[wrong] = source.choice([[1] * (DIM + 1), [1] * (DIM - 1) + [None]])
    return pa.array(rows, source.choice([pa.list_, pa.large_list, pa.list_view])(kind))


def _in_chunks(source: Random, column: pa.Array) -> pa.ChunkedArray:
    cuts = sorted(source.randrange(len(column) + 1) for _ in range(source.choice([0, 0, 1, 3])))
    pieces = [column[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(column)])]
    return pa.chunked_array(pieces, column.type)
