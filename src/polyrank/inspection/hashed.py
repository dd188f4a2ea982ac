"""What the data say of features that are hashed: values, crosses, lists and texts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.features import BagFeature, Feature, HashedFeature, TextFeature
from polyrank.separated import split_lists

from .distinct import Distinct
from .encoding import FeatureEncoder
from .findings import Finding, Level, constant
from .signals import NumberSignal, Signal, ValueSignal

MANY_TRUNCATED = 0.1


class HashedInspector:
    """A value in each row, its own or that of a cross."""

    def __init__(self, feature: HashedFeature, features: Sequence[Feature]) -> None:
        self.feature = feature
        self.distinct = Distinct()
        self.missing = 0
        self._encoder = FeatureEncoder(feature, features)
        self.columns = self._encoder.columns

    def add(self, columns: Mapping[str, Any]) -> None:
        """Read the next rows.

        Raises:
            DataError: a value does not fit the feature.
        """
        values = self._encoder.values(columns)
        self.missing += int((values.counts == 0).sum())
        self.distinct.add(values.fingerprints)

    def facts(self, _rows: int) -> dict[str, Any]:
        """Return what only features of this kind have."""
        return {}

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        if len(self.distinct.values) == 1 and self.missing == 0:
            yield constant(self.feature.name, rows)

    def signals(self, columns: Mapping[str, Any]) -> Sequence[Signal]:
        """Return what the rows of a sample say."""
        values = self._encoder.values(columns)
        return [ValueSignal.of(values.rows, values.fingerprints, values.num_rows, values.weights)]


class ListInspector(HashedInspector):
    """A list of values in each row, of which the feature takes `max_length`."""

    def __init__(self, feature: HashedFeature, features: Sequence[Feature]) -> None:
        super().__init__(feature, features)
        self._truncated, self._longest, self._total = 0, 0, 0

    def add(self, columns: Mapping[str, Any]) -> None:
        """Read the next rows; see `HashedInspector.add`."""
        super().add(columns)
        lengths = self._lengths(columns)
        self._truncated += int((lengths > self.feature.num_slots).sum())
        self._longest = max(self._longest, int(lengths.max(initial=0)))
        self._total += int(lengths.sum())

    def facts(self, rows: int) -> dict[str, Any]:
        """Return how long the lists are."""
        return {"truncated": self._truncated / rows, "mean_length": self._total / rows, "longest": self._longest}

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        share = self._truncated / rows
        if share > 0:
            message = f"{share:.1%} {self._cut()}"
            yield Finding(level=self._level(share), check="truncation", column=self.feature.name, message=message)

    def _cut(self) -> str:
        return (
            f"of lists exceed max_length {self.feature.num_slots} and lose their tail; the longest holds "
            f"{self._longest:,}; raise max_length, or put what matters first"
        )

    def _level(self, share: float) -> Level:
        return "warning" if share > MANY_TRUNCATED else "note"

    def _lengths(self, columns: Mapping[str, Any]) -> NDArray[np.int64]:
        import pyarrow as pa
        import pyarrow.compute as pc

        column, feature = columns[self.feature.name], self.feature
        if isinstance(feature, BagFeature) and feature.separator is not None:
            column = split_lists(column, feature.name, feature.separator)
        if pa.types.is_null(column.type):
            return np.zeros(len(column), np.int64)
        return np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(), np.int64)


class BagInspector(ListInspector):
    """A list with or without weights."""

    def signals(self, columns: Mapping[str, Any]) -> Sequence[Signal]:
        """Return what the values say, and the sum of their weights."""
        values = self._encoder.values(columns)
        signal = ValueSignal.of(values.rows, values.fingerprints, values.num_rows, values.weights)
        if values.weights is None:
            return [signal]
        total = np.bincount(values.rows, values.weights, values.num_rows).astype(np.float64)
        return [signal, NumberSignal(total)]


class SequenceInspector(ListInspector):
    """A list in order of time. That its oldest values are cut off is what a sequence is for."""

    def _cut(self) -> str:
        return (
            f"of lists exceed max_length {self.feature.num_slots} and lose their oldest values; the longest holds "
            f"{self._longest:,}; raise max_length if they matter"
        )

    def _level(self, _share: float) -> Level:
        return "note"


class TextInspector(ListInspector):
    """The n-grams of a text. With one slot more than the feature has, texts that have more of them stand out."""

    def __init__(self, feature: TextFeature, features: Sequence[Feature]) -> None:
        super().__init__(feature, features)
        longer = msgspec.structs.replace(feature, max_length=feature.max_length + 1)
        self._longer = FeatureEncoder(longer, features)

    def facts(self, rows: int) -> dict[str, Any]:
        """Return how many texts are cut."""
        return {"truncated": self._truncated / rows}

    def _cut(self) -> str:
        return f"of texts have more than {self.feature.num_slots} n-grams, and the first ones count; raise max_length"

    def _lengths(self, columns: Mapping[str, Any]) -> NDArray[np.int64]:
        return self._longer.values(columns).counts
