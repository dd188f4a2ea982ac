"""What the data say of numbers that fall into buckets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.features import BucketizedFeature, Feature

from .dense import NumberInspector
from .findings import Finding
from .signals import Signal, ValueSignal

MANY_OUTSIDE = 0.5


class BucketizedInspector(NumberInspector):
    """A number that falls into a bucket."""

    def __init__(self, feature: BucketizedFeature, features: Sequence[Feature]) -> None:
        super().__init__(feature, features)
        self._boundaries = np.array(feature.boundaries or (), np.float32)
        self._sizes = np.zeros(len(self._boundaries) + 1, np.int64)

    def facts(self, rows: int) -> dict[str, Any]:
        """Return how full the buckets are; nothing of those that training fits."""
        if len(self._boundaries) == 0:
            return {}
        return {"empty_buckets": int((self._sizes == 0).sum()), "outside": int(self._sizes[[0, -1]].sum()) / rows}

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        yield from super().findings(rows)
        empty, present = np.flatnonzero(self._sizes == 0), rows - self.missing
        if len(self._boundaries) == 0 or present == 0:
            return
        if len(empty) > 0:
            message = f"{len(empty)} of {len(self._sizes)} buckets hold no row, as that {self._bucket(empty[0])}"
            yield self._finding(f"{message}; the numbers go from {self.low:g} to {self.high:g}")
        outside = int(self._sizes[[0, -1]].sum()) / present
        if len(self._sizes) > 2 and outside > MANY_OUTSIDE:  # noqa: PLR2004 (the first and the last are all there is)
            yield self._finding(f"{outside:.1%} of numbers lie below the first boundary or from the last on")

    def signals(self, columns: Mapping[str, Any]) -> Sequence[Signal]:
        """Return the bucket of each row of a sample."""
        numbers = self._numbers(columns)
        rows = np.flatnonzero(~np.isnan(numbers))
        return [ValueSignal.of(rows, self._buckets(numbers[rows]), len(numbers))]

    def _note(self, numbers: NDArray[np.float32]) -> None:
        super()._note(numbers)
        if len(self._boundaries) > 0:
            known = np.searchsorted(self._boundaries, numbers[~np.isnan(numbers)], side="right")
            self._sizes += np.bincount(known, minlength=len(self._sizes))

    def _buckets(self, numbers: NDArray[np.float32]) -> NDArray[np.int64]:
        boundaries = self._boundaries
        if len(boundaries) == 0 and len(numbers) > 0:
            levels = np.linspace(0, 1, self.feature.quantiles + 1)[1:-1]
            boundaries = np.unique(np.quantile(numbers, levels))
        return np.searchsorted(boundaries, numbers, side="right").astype(np.int64)

    def _bucket(self, index: int) -> str:
        if index == 0:
            return f"below {self._boundaries[0]:g}"
        if index == len(self._boundaries):
            return f"from {self._boundaries[-1]:g}"
        return f"from {self._boundaries[index - 1]:g} to below {self._boundaries[index]:g}"

    def _finding(self, what: str) -> Finding:
        message = f"{what}; set other boundaries, or let quantiles fit them"
        return Finding(level="note", check="buckets", column=self.feature.name, message=message)
