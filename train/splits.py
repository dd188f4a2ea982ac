"""Which rows train and which validate."""

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.rows import Column
from polyrank.schema import Schema

from .config import ValidationConfig
from .times import times

UNITS_PER_HOUR = {"s": 3_600, "ms": 3_600_000, "us": 3_600_000_000, "ns": 3_600_000_000_000}

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Row numbers that train, row numbers that validate; each ascending."""


def split_rows(
    schema: Schema, time: Column | None, count: int, config: ValidationConfig, generator: np.random.Generator
) -> Split:
    """Split `count` rows by time where the schema names a time column, at random otherwise.

    Raises:
        DataError: times are missing or not comparable, or a side of the split would have fewer than two rows.
    """
    if schema.time is not None:
        held_out = _newest(times(time, schema), schema, config)
    elif config.hours is not None:
        raise DataError("$.validation.hours needs a time column; name one in the schema: time = '...'")
    else:
        held_out = np.zeros(count, bool)
        held_out[generator.permutation(count)[: max(1, round(count * config.share))]] = True
    train, validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if len(train) < 2 or len(validation) < 2:  # noqa: PLR2004 (one row has no variance, no ranking, no batch norm)
        raise DataError(
            f"the split leaves {len(train):,} rows to train on and {len(validation):,} to validate on; "
            f"both need at least 2: change [validation] or bring more rows"
        )
    return train, validation


def _newest(moments: NDArray[np.int64], schema: Schema, config: ValidationConfig) -> NDArray[np.bool_]:
    """Mark rows above a point in time; rows of one instant stay on one side."""
    if config.hours is not None:
        last = int(moments.max()) - round(config.hours * UNITS_PER_HOUR[schema.time_unit])
    else:
        last = int(np.quantile(moments, 1.0 - config.share, method="lower"))
    return np.greater(moments, last)
