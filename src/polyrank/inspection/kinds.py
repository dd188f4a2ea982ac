"""Which inspector reads which kind of feature. A kind that is not here is passed over with a note."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from polyrank.features import BagFeature, CategoricalFeature, Feature, NumericFeature, SharingFeature

from .dense import NumericInspector
from .findings import Finding
from .hashed import BagInspector, CategoricalInspector, Distinct
from .signals import Signal


class Inspector(Protocol):
    """Reads a feature's column batch by batch.

    Attributes:
        missing: rows without a value so far.
    """

    feature: Any
    missing: int

    @property
    def distinct(self) -> Distinct | None:
        """Return the values that enter an embedding table; None without one."""

    @property
    def truncated(self) -> int | None:
        """Return how many lists were longer than the feature takes; None where there are no lists."""

    def add(self, column: Any) -> None:
        """Read the next rows, an Arrow array, or raise `DataError` where a value does not fit."""

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""

    def signal(self, column: Any) -> Signal:
        """Return what a column of rows says in each."""


INSPECTORS: dict[type, Callable[[Any], Inspector]] = {
    CategoricalFeature: CategoricalInspector,
    BagFeature: BagInspector,
    NumericFeature: NumericInspector,
}


def inspector_of(feature: Feature) -> Inspector | None:
    """Return a new inspector for a feature; None where there is none for what it takes."""
    is_text_list = isinstance(feature, BagFeature) and feature.separator is not None
    is_unhashed = isinstance(feature, SharingFeature) and feature.identity
    new = None if is_text_list or is_unhashed else INSPECTORS.get(type(feature))
    return None if new is None else new(feature)
