"""Which inspector reads which kind of feature. A kind that is not here is passed over with a note."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from polyrank.features import (
    BagFeature,
    BucketizedFeature,
    CategoricalFeature,
    CrossFeature,
    Feature,
    NumericFeature,
    SequenceFeature,
    TextFeature,
    VectorFeature,
)

from .buckets import BucketizedInspector
from .dense import NumericInspector
from .distinct import Distinct
from .findings import Finding
from .hashed import BagInspector, HashedInspector, SequenceInspector, TextInspector
from .signals import Signal
from .vectors import VectorInspector


class Reader(Protocol):
    """Reads a feature's columns piece by piece.

    Attributes:
        missing: rows without a value so far.
        columns: what it reads.
    """

    feature: Any
    missing: int
    columns: tuple[str, ...]

    @property
    def distinct(self) -> Distinct | None:
        """Return the values that enter an embedding table; None without one."""

    def add(self, columns: Mapping[str, Any]) -> None:
        """Read the next rows, Arrow columns by name, or raise `DataError` where a value does not fit."""

    def signals(self, columns: Mapping[str, Any]) -> Sequence[Signal]:
        """Return what the rows of a sample say, in one or several ways."""


class Inspector(Reader, Protocol):
    """Judges a feature of a schema, too."""

    def facts(self, rows: int) -> dict[str, Any]:
        """Return fields of `FeatureFacts` that only some kinds have, after the last of `rows` rows."""

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""


INSPECTORS: dict[type, Callable[[Any, Sequence[Feature]], Inspector]] = {
    CategoricalFeature: HashedInspector,
    BagFeature: BagInspector,
    SequenceFeature: SequenceInspector,
    TextFeature: TextInspector,
    CrossFeature: HashedInspector,
    NumericFeature: NumericInspector,
    BucketizedFeature: BucketizedInspector,
    VectorFeature: VectorInspector,
}


def inspector_of(feature: Feature, features: Sequence[Feature]) -> Inspector | None:
    """Return a new inspector for a feature of a resolved schema, `features`; None where its kind has none."""
    new = INSPECTORS.get(type(feature))
    return None if new is None else new(feature, features)
