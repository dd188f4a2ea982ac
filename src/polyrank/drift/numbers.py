"""Numbers, and vectors of them, that pass by: exact moments, and a sample for all else."""

import math

import numpy as np
from numpy.typing import NDArray

from polyrank.inspection.sampling import Sample

from .results import Side
from .stability import FALSE_ALARM_RATE, ks_distance, psi, psi_by_chance, without_rare

SAMPLE_ROWS = 2**18
"""So many rows of a number are kept; more than there are, and every figure is exact."""

SAMPLE_NUMBERS = 2**22
"""So many numbers of a vector's rows."""

FEW = 20
"""Up to so many different numbers have a bin each."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class NumberReading:
    """Rows of numbers.

    Attributes:
        width: how many each row has.
        rows: how many.
        missing: those of them with a number that is missing or not finite.
    """

    def __init__(self, width: int = 1) -> None:
        self.width, self.rows, self.missing = width, 0, 0
        size = min(SAMPLE_ROWS, max(1, SAMPLE_NUMBERS // width))
        self._sample = Sample(size, np.random.default_rng(0))  # the same rows of the same data
        self._mean = np.zeros(width)
        self._squares = np.zeros(width)

    def add(self, numbers: NDArray[np.floating]) -> None:
        """Read float [B] or [B, width]; NaN is missing."""
        import pyarrow as pa

        rows = np.asarray(numbers, np.float32).reshape(-1, self.width)
        known = rows[np.isfinite(rows).all(axis=1)]
        self._count(known.astype(np.float64), len(rows))
        lists = pa.FixedSizeListArray.from_arrays(pa.array(known.ravel()), self.width)
        self._sample.add(pa.table({"numbers": lists}))

    @property
    def known(self) -> int:
        """How many rows have all their numbers."""
        return self.rows - self.missing

    @property
    def missing_share(self) -> float:
        """The share of the others."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def mean(self) -> float:
        """Of the first number of each row; 0 where there is none."""
        return float(self._mean[0])

    @property
    def variance(self) -> float:
        """Of the same."""
        return float(self._squares[0]) / max(self.known, 1)

    def sample(self) -> NDArray[np.float32]:
        """Return the rows that were drawn, float32 [n, width]."""
        column = self._sample.table().column(0).combine_chunks()
        return np.asarray(column.flatten().to_numpy(), np.float32).reshape(-1, self.width)

    def side(self) -> Side:
        """Describe the rows; a vector by how many are missing alone."""
        if self.width > 1 or self.known == 0:
            return Side(missing=self.missing_share)
        quantiles = np.quantile(self.sample()[:, 0], QUANTILES)
        return Side(
            missing=self.missing_share,
            mean=self.mean,
            sd=math.sqrt(self.variance),
            quantiles={f"{level:g}": float(value) for level, value in zip(QUANTILES, quantiles, strict=True)},
        )

    def _count(self, known: NDArray[np.float64], rows: int) -> None:
        """Join moments; Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm, 1979."""
        before, self.rows = self.known, self.rows + rows
        self.missing += rows - len(known)
        if len(known) == 0:
            return
        mean = known.mean(axis=0)
        step = mean - self._mean
        self._squares += ((known - mean) ** 2).sum(axis=0) + step**2 * before * len(known) / self.known
        self._mean += step * len(known) / self.known


class NumbersApart:
    """How far two readings are apart: in the column that is furthest, if there are several.

    Attributes:
        psi: over the deciles of the reference, with a bin for missing rows.
        psi_by_chance: what chance alone gives.
        ks: Kolmogorov-Smirnov distance of what is not missing; None where all is, on a side.
        column: which.
    """

    def __init__(self, reference: NumberReading, current: NumberReading, *, with_missing: bool = True) -> None:
        first, second = reference.sample(), current.sample()
        found = []
        for column in range(first.shape[1]):
            edges = _edges(first[:, column] if len(first) else second[:, column])
            one, other = without_rare(
                _bins(first[:, column], reference, edges, with_missing=with_missing),
                _bins(second[:, column], current, edges, with_missing=with_missing),
            )
            found.append((psi(one, other), -column, len(one)))
        self.psi, last, num_bins = max(found)
        self.column = -last
        rows = (
            _worth(reference, len(first), with_missing=with_missing),
            _worth(current, len(second), with_missing=with_missing),
        )
        self.psi_by_chance = psi_by_chance(num_bins, rows, FALSE_ALARM_RATE / len(found))
        both = len(first) > 0 and len(second) > 0
        self.ks = ks_distance(first[:, self.column], second[:, self.column]) if both else None


def _edges(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what parts the bins: deciles, each number with a bin of its own that is several of them, or one of few."""
    distinct = np.unique(numbers)
    if len(distinct) <= FEW:
        alone, edges = distinct, distinct
    else:
        edges, times = np.unique(np.quantile(numbers, np.arange(1, 10) / 10, method="lower"), return_counts=True)
        alone = edges[times > 1]
    return np.unique(np.concatenate([edges, np.nextafter(alone, np.float32(np.inf))]))


def _bins(
    sample: NDArray[np.float32], reading: NumberReading, edges: NDArray[np.float32], *, with_missing: bool
) -> NDArray[np.float64]:
    """Count rows by bin, those of a sample by its shares; in the last bin those that are missing."""
    counts = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=len(edges) + 1)
    bins = counts.astype(np.float64) * (reading.known / max(len(sample), 1))
    return np.concatenate([bins, [float(reading.missing)] if with_missing else []])


def _worth(reading: NumberReading, sampled: int, *, with_missing: bool) -> float:
    """Return how many rows say as much as a sample of those that are not missing, and the count of those that are."""
    if reading.known == 0:
        return float(reading.rows)
    return sampled * (reading.rows / reading.known if with_missing else 1.0)
