"""What the cells of random columns hold."""

import dataclasses
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from polyrank.features import Dtype, Feature

Cells = st.SearchStrategy[dict[str, Any]]
Integers = st.SearchStrategy[int]


@dataclasses.dataclass(frozen=True)
class Part:
    """A feature, the Arrow types of its columns, and cells that fit it; `csv` says that a CSV file can hold them."""

    feature: Feature
    types: dict[str, pa.DataType]
    cells: Cells
    csv: bool = True


@dataclasses.dataclass(frozen=True)
class Items:
    """Values to be hashed: under which dtype, of which Arrow type, and drawn from what."""

    dtype: Dtype
    type: pa.DataType
    values: st.SearchStrategy[Any]
    csv: bool = True


TOKENS = ("-", "7", "", "NA", "null", "true", "46.0")
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(TOKENS)
integers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9) | st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1])
exact_integers = st.integers(-(2**53), 2**53) | st.integers(0, 9)
singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
doubles = st.floats(-3e38, 3e38)
missing = st.lists(st.sampled_from(TOKENS), max_size=2, unique=True).map(tuple)


def items(whole: Integers) -> st.SearchStrategy[Items]:
    """Draw what a hashed feature reads, with integers of `whole`."""
    return st.sampled_from(
        [
            Items("text", pa.string(), words),
            Items("int64", pa.int64(), whole),
            Items("text", pa.int64(), whole),
            Items("int64", pa.string(), integers.map(str)),
            Items("text", pa.uint64(), whole.map(abs)),
            Items("int64", pa.int8(), st.integers(-128, 127)),
            Items("text", pa.bool_(), st.booleans()),
            Items("int64", pa.bool_(), st.booleans(), csv=False),
            Items("text", pa.float64(), exact_integers.map(float), csv=False),
            Items("int64", pa.float64(), exact_integers.map(float), csv=False),
        ]
    )


def numbers(whole: Integers, *, low: float | None = None) -> st.SearchStrategy[tuple[pa.DataType, Any]]:
    """Draw the type and the values of a column of numbers, with integers of `whole`; from `low` up."""
    kinds = [
        (pa.int64(), whole if low is None else whole.map(abs).filter(lambda value: value < 2**63)),
        (pa.uint8(), st.integers(0, 255)),
        (pa.float32(), singles if low is None else singles.map(abs)),
        (pa.float64(), doubles if low is None else doubles.map(abs)),
        (pa.bool_(), st.booleans()),
    ]
    return st.sampled_from(kinds)


def cell(name: str, values: st.SearchStrategy[Any]) -> Cells:
    """Draw the cell of a column, null too."""
    return st.fixed_dictionaries({name: st.none() | values})


def lists(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Draw lists, some empty, some longer than their slots, some with nulls."""
    return st.lists(st.none() | values, max_size=6)
