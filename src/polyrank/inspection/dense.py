"""What the data say of numeric features."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from polyrank.encoder import numbers
from polyrank.errors import DataError
from polyrank.features import NumericFeature

from .findings import Finding
from .hashed import constant
from .signals import NumberSignal, Signal

LARGE = 100.0


class NumericInspector:
    """A number in each row."""

    distinct = None
    truncated: int | None = None

    def __init__(self, feature: NumericFeature) -> None:
        self.feature = feature
        self.missing = 0
        self.low, self.high = np.inf, -np.inf

    def add(self, column: Any) -> None:
        """Read the next rows, an Arrow array.

        Raises:
            DataError: a value is no number, or below 0 under log1p.
        """
        values = numbers(column, self.feature.name)
        self.missing += int(np.isnan(values).sum())
        self.low = float(np.nanmin(values, initial=self.low))
        self.high = float(np.nanmax(values, initial=self.high))
        if "log1p" in self.feature.transform and self.low < 0:
            raise DataError(f"column {self.feature.name!r} goes down to {self.low:g}; log1p takes 0 and above")

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        if self.low == self.high and self.missing == 0:
            yield constant(self.feature.name, rows)
        elif not self.feature.transform and max(abs(self.low), abs(self.high)) > LARGE and self.missing < rows:
            yield Finding(
                level="note",
                check="scale",
                column=self.feature.name,
                message=f"goes from {self.low:g} to {self.high:g} untransformed, which slows training; "
                'add transform = ["standardize"]',
            )

    def signal(self, column: Any) -> Signal:
        """Return what a column of rows says in each."""
        return NumberSignal(numbers(column, self.feature.name).astype(np.float64))
