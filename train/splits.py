"""Which rows train and which validate."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.errors import DataError, RowError
from polyrank.labels import groups
from polyrank.rows import Column
from polyrank.schema import Schema
from polyrank.times import Times, newest

from .config_sections import ValidationConfig


class SplitKeys:
    """Reads what a split looks at, a piece of the data set at a time."""

    def __init__(self, schema: Schema, config: ValidationConfig) -> None:
        """Prepare.

        Raises:
            DataError: the split needs a time or a group column, and the schema names none.
        """
        self._schema = schema
        self._kind = _kind(schema, config)
        self._column = {"time": schema.time, "group": schema.group, "column": config.column}.get(self._kind)
        self._times = Times(schema)
        if self._column is None and self._kind != "random":
            raise DataError(_unnamed(self._kind, config))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return () if self._column is None else (self._column,)

    def read(self, columns: Mapping[str, Column]) -> NDArray[np.int64] | None:
        """Return int64 [B]: instants, groups, or 1 where the column says `validation`; None for a random split.

        Raises:
            DataError: a value is missing or wrong.
        """
        if self._column is None:
            return None
        column = columns[self._column]
        if self._kind == "time":
            return self._times.read(column)
        return _known_groups(column, self._column) if self._kind == "group" else _said(column, self._column)


def held_out(
    schema: Schema,
    config: ValidationConfig,
    keys: NDArray[np.int64] | None,
    count: int,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    """Mark the rows that validate, bool [B]; `keys` are those of `SplitKeys`, in any order of the rows.

    Raises:
        DataError: a side of the split would have fewer than two rows.
    """
    marks = _marks(schema, config, keys, count, generator)
    validating = int(np.count_nonzero(marks))
    if min(validating, count - validating) < 2:  # noqa: PLR2004 (one row has no variance, no ranking, no batch norm)
        raise DataError(
            f"the split leaves {count - validating:,} rows to train on and {validating:,} to validate on; "
            f"both need at least 2: change [validation] or bring more rows"
        )
    return marks


def _kind(schema: Schema, config: ValidationConfig) -> str:
    if config.split is not None:
        return config.split
    if config.column is not None:
        return "column"
    return "random" if schema.time is None and config.hours is None else "time"


def _unnamed(kind: str, config: ValidationConfig) -> str:
    if kind == "group":
        return "$.validation.split = 'group' needs a group column; name one in the schema: group = 'user_id'"
    key = "hours" if config.split is None else "split = 'time'"
    return f"$.validation.{key} needs a time column; name one in the schema: time = '...'"


def _marks(
    schema: Schema,
    config: ValidationConfig,
    keys: NDArray[np.int64] | None,
    count: int,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    kind = _kind(schema, config)
    if keys is None:
        marks = np.zeros(count, bool)
        marks[generator.permutation(count)[: max(1, round(count * config.share))]] = True
        return marks
    if kind == "time":
        return newest(keys, schema.time_unit, hours=config.hours, share=config.share)
    return _some_groups(keys, config.share, generator) if kind == "group" else keys == 1


def _known_groups(column: Column, name: str) -> NDArray[np.int64]:
    found = groups(column, name)
    if (found < 0).any():
        row = int((found < 0).argmax())
        raise RowError(f"group column {name!r} is missing", row, "; a group split needs every group")
    return found


def _some_groups(members: NDArray[np.int64], share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Mark the rows of groups drawn at random, until they are the share of the rows; the order of rows is no matter."""
    _, group_of, sizes = np.unique(members, return_inverse=True, return_counts=True)
    drawn = generator.permutation(len(sizes))
    num_before = np.cumsum(sizes[drawn]) - sizes[drawn]
    is_held_out = np.zeros(len(sizes), bool)
    is_held_out[drawn[num_before < round(len(members) * share)]] = True
    return is_held_out[group_of]


def _said(column: Column, name: str) -> NDArray[np.int64]:
    """Return 1 for the rows of which the column says `validation`."""
    values = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    for row, value in enumerate(values):
        if value not in ("train", "validation"):
            held = f"split column {name!r} holds {shown(value)}"
            raise RowError(held, row, "; 'train' or 'validation' expected")
    return np.array([value == "validation" for value in values], np.int64)
