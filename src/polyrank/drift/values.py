"""Values without an order that pass by, and how far two readings of them are apart."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .counting import Commonest, SampledValues
from .stability import psi, psi_by_chance, share_by_chance, without_rare

TOP = 100
"""So many values have a bin each."""

MOVES = 3

Values = NDArray[np.int64]


class ValueReading:
    """Rows with a value each, or with several.

    Attributes:
        rows: how many.
        missing: those of them without a value.
        occurrences: of values.
    """

    def __init__(self) -> None:
        self.rows, self.missing, self.occurrences = 0, 0, 0
        self.commonest = Commonest()
        self.sampled = SampledValues()

    def add(self, fingerprints: Values, rows: int, missing: int) -> None:
        """Read the values int64 [n] of some rows, of which some have none."""
        self.rows, self.missing = self.rows + rows, self.missing + missing
        self.occurrences += len(fingerprints)
        values, counts = np.unique(fingerprints, return_counts=True)
        self.commonest.add(values, counts)
        self.sampled.add(values, counts)

    @property
    def known(self) -> int:
        """How many rows have a value."""
        return self.rows - self.missing

    @property
    def missing_share(self) -> float:
        """The share of the others."""
        return self.missing / self.rows

    def counts_of(self, values: Values) -> NDArray[np.float64]:
        """Return how often each of some values is there."""
        known, counts = self.commonest.found
        if len(known) == 0:
            return np.zeros(len(values))
        places = np.searchsorted(known, values).clip(max=len(known) - 1)
        return np.where(known[places] == values, counts[places], 0).astype(np.float64)


class ValuesApart:
    """How far two readings are apart.

    Attributes:
        psi: over the commonest values of both together, all others, and rows without any. Those of the reference alone
            would be the ones that chance has made common there.
        psi_by_chance: what chance alone gives, if it is rows that are drawn.
        new: share of the current values that the reference lacks.
        expected_new: what it would be without drift.
        new_by_chance: how far chance alone takes the difference of the two.
    """

    def __init__(self, reference: ValueReading, current: ValueReading, *, with_missing: bool = True) -> None:
        top = _top(reference, current)
        one, other = without_rare(*(_bins(side, top, with_missing=with_missing) for side in (reference, current)))
        self.psi = psi(one, other)
        rows = (reference.rows, current.rows) if with_missing else (reference.known, current.known)
        self.psi_by_chance = psi_by_chance(len(one), rows)
        self.new, self.expected_new = _new(reference, current)
        known = float(max(reference.known, 1)), float(max(current.known, 1))
        self.new_by_chance = share_by_chance((self.expected_new, self.new), known)


def moves(reference: ValueReading, current: ValueReading) -> Iterator[tuple[int, float, float]]:
    """Yield the values that moved most, each with its share in the reference and in the current data."""
    values = _top(reference, current)
    totals = [max(side.occurrences + side.missing, 1) for side in (reference, current)]
    first, second = reference.counts_of(values) / totals[0], current.counts_of(values) / totals[1]
    steps = np.abs(second - first)
    for place in np.argsort(-steps, kind="stable")[:MOVES]:
        if steps[place] > 0:
            yield int(values[place]), float(first[place]), float(second[place])


def _top(reference: ValueReading, current: ValueReading) -> Values:
    """Return the commonest values of both together, int64 [n]."""
    (some, counts), (others, other_counts) = reference.commonest.found, current.commonest.found
    values, places = np.unique(np.concatenate([some, others]), return_inverse=True)
    times = np.bincount(places, np.concatenate([counts, other_counts]), len(values))
    return values[np.argsort(-times, kind="stable")[:TOP]]


def _bins(reading: ValueReading, top: Values, *, with_missing: bool) -> NDArray[np.float64]:
    counts = reading.counts_of(top)
    others = reading.occurrences - counts.sum()
    return np.concatenate([counts, [others, reading.missing] if with_missing else [others]])


def _new(reference: ValueReading, current: ValueReading) -> tuple[float, float]:
    """Return the share of the current values that the reference lacks, and what is expected of rows like its own."""
    level = max(reference.sampled.level, current.sampled.level)
    (known, times), (values, counts) = reference.sampled.at(level), current.sampled.at(level)
    new = counts[~np.isin(values, known, assume_unique=True)].sum() / max(counts.sum(), 1)
    return float(new), float(times[times == 1].sum() / max(times.sum(), 1))
