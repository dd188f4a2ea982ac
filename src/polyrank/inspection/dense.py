"""What the data say of numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.features import BucketizedFeature, Feature, NumericFeature

from .encoding import FeatureEncoder
from .findings import Finding, constant
from .signals import NumberSignal, Signal

LARGE = 100.0


class NumberInspector:
    """A number in each row."""

    distinct = None

    def __init__(self, feature: NumericFeature | BucketizedFeature, features: Sequence[Feature]) -> None:
        self.feature: Any = feature
        self.missing = 0
        self.low, self.high = np.inf, -np.inf
        self._encoder = FeatureEncoder(feature, features)
        self.columns = self._encoder.columns

    def add(self, columns: Mapping[str, Any]) -> None:
        """Read the next rows.

        Raises:
            DataError: a value does not fit the feature.
        """
        self._note(self._numbers(columns))

    def facts(self, _rows: int) -> dict[str, Any]:
        """Return what only features of this kind have."""
        return {}

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        if self.low == self.high and self.missing == 0:
            yield constant(self.feature.name, rows)

    def signals(self, columns: Mapping[str, Any]) -> Sequence[Signal]:
        """Return what the rows of a sample say."""
        return [NumberSignal(self._numbers(columns).astype(np.float64))]

    def _numbers(self, columns: Mapping[str, Any]) -> NDArray[np.float32]:
        return np.concatenate(list(self._encoder.numbers(columns)))[:, 0]

    def _note(self, numbers: NDArray[np.float32]) -> None:
        self.missing += int(np.isnan(numbers).sum())
        self.low = float(np.nanmin(numbers, initial=self.low))
        self.high = float(np.nanmax(numbers, initial=self.high))


class NumericInspector(NumberInspector):
    """A number that is transformed."""

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        yield from super().findings(rows)
        spread = self.low < self.high
        if spread and not self.feature.transform and max(abs(self.low), abs(self.high)) > LARGE:
            yield Finding(
                level="note",
                check="scale",
                column=self.feature.name,
                message=f"goes from {self.low:g} to {self.high:g} untransformed, which slows training; "
                'add transform = ["standardize"]',
            )
