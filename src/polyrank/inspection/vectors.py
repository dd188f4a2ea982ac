"""What the data say of vectors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polyrank.features import Feature, VectorFeature

from .encoding import FeatureEncoder
from .findings import Finding, constant
from .linear import VectorSignal
from .signals import Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray


class VectorInspector:
    """A vector in each row.

    Attributes:
        varies: two vectors differ.
    """

    distinct = None

    def __init__(self, feature: VectorFeature, features: Sequence[Feature]) -> None:
        self.feature: Any = feature
        self.missing, self._zero = 0, 0
        self._first: NDArray[np.float32] | None = None
        self.varies = False
        self._encoder = FeatureEncoder(feature, features)
        self.columns = self._encoder.columns

    def add(self, columns: Mapping[str, Any]) -> None:
        """Read the next rows.

        Raises:
            DataError: a vector has another length, or a number of it is missing or not finite.
        """
        for vectors in self._encoder.numbers(columns):
            known = vectors[~np.isnan(vectors[:, 0])]
            self.missing += len(vectors) - len(known)
            self._zero += int((~known.any(axis=1)).sum())
            if self._first is None and len(known) > 0:
                self._first = known[0].copy()
            self.varies = self.varies or bool((known != self._first).any())

    def facts(self, rows: int) -> dict[str, Any]:
        """Return how many vectors are all zeros."""
        return {"zero": self._zero / rows}

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        if not self.varies and self.missing == 0:
            yield constant(self.feature.name, rows)
        elif self._zero > 0:
            message = f"{self._zero / rows:.1%} of vectors are all zeros; make them null if they stand for none"
            yield Finding(level="note", check="zero vectors", column=self.feature.name, message=message)

    def signals(self, columns: Mapping[str, Any]) -> Sequence[Signal]:
        """Return the vectors of a sample."""
        return [VectorSignal(np.concatenate(list(self._encoder.numbers(columns))))]
