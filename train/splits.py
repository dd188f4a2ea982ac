"""Which rows train and which validate."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.errors import DataError, RowError
from polyrank.fingerprint import fingerprint
from polyrank.rows import Column
from polyrank.schema import Schema

from .config import ValidationConfig
from .times import times

UNITS_PER_HOUR = {"s": 3_600, "ms": 3_600_000, "us": 3_600_000_000, "ns": 3_600_000_000_000}

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Row numbers that train, row numbers that validate; each ascending."""


def split_columns(schema: Schema, config: ValidationConfig) -> tuple[str, ...]:
    """Return the columns that `split_rows` reads."""
    named = {"time": schema.time, "group": schema.group, "column": config.column}
    column = named.get(_kind(schema, config))
    return () if column is None else (column,)


def split_rows(
    schema: Schema,
    columns: Mapping[str, Column],
    count: int,
    config: ValidationConfig,
    generator: np.random.Generator,
) -> Split:
    """Split `count` rows; `columns` holds at least `split_columns`.

    Raises:
        DataError: what the split needs is no column of the schema, misses a value or holds a wrong one, or a side of
            the split would have fewer than two rows.
    """
    held_out = _held_out(schema, columns, count, config, generator)
    train, validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if len(train) < 2 or len(validation) < 2:  # noqa: PLR2004 (one row has no variance, no ranking, no batch norm)
        raise DataError(
            f"the split leaves {len(train):,} rows to train on and {len(validation):,} to validate on; "
            f"both need at least 2: change [validation] or bring more rows"
        )
    return train, validation


def _kind(schema: Schema, config: ValidationConfig) -> str:
    if config.split is not None:
        return config.split
    if config.column is not None:
        return "column"
    return "random" if schema.time is None and config.hours is None else "time"


def _held_out(
    schema: Schema, columns: Mapping[str, Column], count: int, config: ValidationConfig, generator: np.random.Generator
) -> NDArray[np.bool_]:
    kind = _kind(schema, config)
    if kind == "time":
        if schema.time is None:
            key = "hours" if config.split is None else "split = 'time'"
            raise DataError(f"$.validation.{key} needs a time column; name one in the schema: time = '...'")
        return _newest(times(columns[schema.time], schema), schema, config)
    if kind == "group":
        return _some_groups(_known_groups(schema, columns), config.share, generator)
    if kind == "column":
        return _said(columns[str(config.column)], str(config.column))
    held_out = np.zeros(count, bool)
    held_out[generator.permutation(count)[: max(1, round(count * config.share))]] = True
    return held_out


def groups(column: Column, name: str) -> NDArray[np.int64]:
    """Read the group column as fingerprints, int64 [B], -1 where missing: a value is one group however it arrives.

    Raises:
        DataError: a value has no canonical form as text.
    """
    return fingerprint(column, dtype="text", column=name)


def _known_groups(schema: Schema, columns: Mapping[str, Column]) -> NDArray[np.int64]:
    if schema.group is None:
        raise DataError("$.validation.split = 'group' needs a group column; name one in the schema: group = 'user_id'")
    found = groups(columns[schema.group], schema.group)
    if (found < 0).any():
        row = int((found < 0).argmax())
        raise RowError(f"group column {schema.group!r} is missing", row, "; a group split needs every group")
    return found


def _some_groups(members: NDArray[np.int64], share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Mark the rows of groups drawn at random, until they are the share of the rows; the order of rows is no matter."""
    _, group_of, sizes = np.unique(members, return_inverse=True, return_counts=True)
    drawn = generator.permutation(len(sizes))
    num_before = np.cumsum(sizes[drawn]) - sizes[drawn]
    is_held_out = np.zeros(len(sizes), bool)
    is_held_out[drawn[num_before < round(len(members) * share)]] = True
    return is_held_out[group_of]


def _said(column: Column, name: str) -> NDArray[np.bool_]:
    """Mark the rows of which the column says `validation`."""
    values = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    for row, value in enumerate(values):
        if value not in ("train", "validation"):
            held = f"split column {name!r} holds {shown(value)}"
            raise RowError(held, row, "; 'train' or 'validation' expected")
    return np.array([value == "validation" for value in values], bool)


def _newest(moments: NDArray[np.int64], schema: Schema, config: ValidationConfig) -> NDArray[np.bool_]:
    """Mark rows above a point in time; rows of one instant stay on one side."""
    if config.hours is not None:
        last = int(moments.max()) - round(config.hours * UNITS_PER_HOUR[schema.time_unit])
    else:
        last = int(np.quantile(moments, 1.0 - config.share, method="lower"))
    return np.greater(moments, last)
