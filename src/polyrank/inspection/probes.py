"""Readers of columns that no schema describes yet: all values count, for nobody has said how many may."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyrank.features import BagFeature, TextFeature
from polyrank.fingerprint import MISSING, fingerprint
from polyrank.preparation import is_prepared, prepared
from polyrank.table.lists import flatten

from .distinct import Distinct
from .encoding import FeatureEncoder, Values
from .signals import Signal, ValueSignal


class ListProbe:
    """Lists, or text that separators cut.

    Attributes:
        lengths: how often each length is there.
    """

    def __init__(self, feature: BagFeature | TextFeature) -> None:
        self.feature: Any = feature
        self.columns: tuple[str, ...] = (feature.name,)
        self.distinct = Distinct()
        self.lengths: Counter[int] = Counter()
        self.missing = 0

    def add(self, columns: Mapping[str, Any]) -> None:
        """Read the next rows.

        Raises:
            DataError: a value has no canonical form.
        """
        values = self._values(columns)
        self.distinct.add(values.fingerprints)
        self.missing += int((values.counts == 0).sum())
        for length, count in zip(*np.unique(values.counts, return_counts=True), strict=True):
            self.lengths[int(length)] += int(count)

    def signals(self, columns: Mapping[str, Any]) -> Sequence[Signal]:
        """Return what the rows of a sample say."""
        values = self._values(columns)
        return [ValueSignal.of(values.rows, values.fingerprints, values.num_rows, values.weights)]

    def _values(self, columns: Mapping[str, Any]) -> Values:
        name = self.feature.name
        lists = prepared(self.feature, columns)[name] if is_prepared(self.feature) else columns[name]
        lengths, items = flatten(name, lists, "lists expected")
        fingerprints = fingerprint(items, dtype=self.feature.dtype, column=name)
        rows, present = np.repeat(np.arange(len(lengths)), lengths), fingerprints != MISSING
        return Values(len(lengths), rows[present], fingerprints[present], None)


class WordsProbe(ListProbe):
    """The words of texts, up to `max_length` of each."""

    def __init__(self, feature: TextFeature) -> None:
        super().__init__(feature)
        self._encoder = FeatureEncoder(feature, ())

    def _values(self, columns: Mapping[str, Any]) -> Values:
        return self._encoder.values(columns)
