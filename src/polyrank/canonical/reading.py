"""How the values of one column are read, and what a refusal of one says."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, cast

from polyrank.arguments import shown
from polyrank.errors import ConfigError, DataError, RowError

Dtype = Literal["text", "int64"]

MAX_EXACT_FLOAT = 2**53
INT64_MAX = 2**63 - 1

NOT_WHOLE = 'whole numbers expected for a categorical feature (kind = "numeric" takes fractions)'
INFINITE = "whole numbers expected for a categorical feature (make infinities null)"
TOO_LARGE = "floats hold whole numbers exactly up to 2**53 only (cast the column to int64 or text at its source)"
NOT_DECIMAL = 'dtype "int64" takes decimal integers such as -12 (dtype = "text" takes any text)'
OUT_OF_RANGE = 'dtype "int64" takes -2**63 to 2**63-1 (dtype = "text" takes any integer)'
BYTES = 'dtype "int64" takes no bytes (decode the column to text, or dtype = "text" takes bytes)'
CHANGED = "changed its size while it was read; give a list that no other thread changes"
SURROGATE = "text must have a UTF-8 form, without lone surrogates"

# What a reason of the extension's Refusal means.
REASONS = {
    "not_whole": NOT_WHOLE,
    "infinite": INFINITE,
    "too_large": TOO_LARGE,
    "not_decimal": NOT_DECIMAL,
    "out_of_range": OUT_OF_RANGE,
    "bytes": BYTES,
}

# The first word that the type's name begins with decides.
_CASTS = {
    "date": "cast it to text such as 2026-07-01, or to int64 days",
    "timestamp": "cast it to text such as 2026-07-01T12:00:00, or to int64 units since 1970",
    "time": "cast it to text or to int64 units",
    "duration": "cast it to int64 units",
    "decimal": "cast it to text, or to int64 where whole",
    "struct": "make each of its fields a column",
    "dict": "make each of its keys a column",
    "map": "make each of its keys a column",
    "list": 'join it to one text, or make the feature kind = "bag"',
}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the values of one column are to be read."""

    dtype: Dtype
    missing: frozenset[str]
    column: str

    def refusal(self, value: object, row: int, why: str) -> RowError:
        """Return the error for `value` at the 0-based `row`."""
        return RowError(f"column {self.column!r} holds {shown(value)}", row, f"; {why}")

    @cached_property
    def missing_integers(self) -> frozenset[int]:
        """What the missing tokens mean under dtype `int64`: `"07"` stands for 7, other text for no integer."""
        integers = (to_integer(token) for token in self.missing)
        return frozenset(integer for integer in integers if integer is not None and is_int64(integer))

    def odd_value(self, value: object, row: int) -> int | bytes | None:
        """Return what stands for a Python value that the extension does not know; see `items.key_of`."""
        from .items import key_of

        return key_of(value, row, self)

    def unreadable(self, rows: object, err: Exception) -> DataError:
        """Return the error for rows whose producer does not hand them over as Arrow."""
        return DataError(f"column {self.column!r} of type {type(rows).__name__} is not readable as Arrow: {err}")

    def malformed(self, err: Exception) -> DataError:
        """Return the error for Arrow structures that contradict themselves."""
        why = str(err)
        return DataError(f"column {self.column!r}{':' if why.startswith('arrow array') else ''} {why}")


def new_reading(dtype: str, missing: Collection[str], column: str) -> Reading:
    """Check the arguments of a reading.

    Raises:
        ConfigError: `dtype` is neither `"text"` nor `"int64"`, `missing` is not a collection of text, or `column` is no
            text.
    """
    if not isinstance(column, str):
        raise ConfigError(f"column must be text, got {shown(column)}")
    if not isinstance(dtype, str) or dtype not in ("text", "int64"):
        raise ConfigError(f'dtype must be "text" or "int64", got {shown(dtype)} (column {column!r})')
    tokens = None if type(missing) is tuple and not missing else _tokens(missing, column)
    if not tokens:
        return _plain_reading(cast("Dtype", dtype), column)
    return Reading(dtype=cast("Dtype", dtype), missing=tokens, column=column)


def _tokens(missing: Collection[str], column: str) -> frozenset[str]:
    is_collection = isinstance(missing, Collection) and not isinstance(missing, str | bytes)
    if not is_collection or not all(isinstance(token, str) for token in missing):
        raise ConfigError(f"missing must be a collection of text tokens, got {shown(missing)} (column {column!r})")
    return frozenset(missing)


@lru_cache(maxsize=256)
def _plain_reading(dtype: Dtype, column: str) -> Reading:
    return Reading(dtype=dtype, missing=frozenset(), column=column)


def to_integer(text: str) -> int | None:
    """Return what `text` means as a decimal integer (`-?[0-9]+`), None if it is none."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return None
    significant = digits.lstrip("0")[:20] or "0"  # 20 digits are out of range already, and int() refuses thousands
    return -int(significant) if text.startswith("-") else int(significant)


def is_int64(value: int) -> bool:
    """Say whether `value` fits 64 bits in two's complement."""
    return -INT64_MAX - 1 <= value <= INT64_MAX


def float_refusal(value: float) -> str | None:
    """Say why a float that is not NaN has no canonical form, None if it has one."""
    if value in (float("inf"), float("-inf")):
        return INFINITE
    if not value.is_integer():
        return NOT_WHOLE
    return TOO_LARGE if abs(value) > MAX_EXACT_FLOAT else None


def type_refusal(name: str) -> str:
    """Say what to cast a value to whose type, called `name`, has no canonical form."""
    kind = name.lower().removeprefix("large_").removeprefix("fixed_size_")
    remedies = (remedy for prefix, remedy in _CASTS.items() if kind.startswith(prefix))
    return f"a categorical feature takes no {name}: {next(remedies, 'cast it to text or int64')}"
