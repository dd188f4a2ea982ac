"""Rows in the order of their scores within each group, such as a user."""

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import starts_run

from .ordering import run_sums


class GroupedScores:
    """Rows by group and then by rising score, as runs of rows that are tied. Nothing here is a loop over groups.

    Attributes:
        first_rows: int64 [G], a row of each group.
        sizes: int64 [G], number of rows of each group.
        weights: float64 [G], sum of the weights of each group.
        positives: float64 [G], number of positive rows, or sum of the gains, of each group.
    """

    def __init__(
        self,
        scores: NDArray[np.floating],
        positive: NDArray[np.bool_] | NDArray[np.float64],
        weights: NDArray[np.float64],
        groups: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> None:
        """Take rows [n] in the order of `order_within` their groups, and that order itself.

        In place of which rows are `positive` there may be a gain of each; then there are no `areas`.
        """
        opens_group = starts_run(groups)
        opens_run = opens_group | starts_run(scores)
        starts, group_starts = np.flatnonzero(opens_run), np.flatnonzero(opens_group)
        self._first_runs = np.flatnonzero(opens_group[starts])
        self._run_groups = np.cumsum(opens_group[starts]) - 1
        self._run_sizes = np.diff(starts, append=len(rows))
        self._run_ends = starts + self._run_sizes
        hits = positive.astype(np.float64)
        self._run_positives = run_sums(hits, starts)
        self._run_hits = run_sums(weights * hits, starts)
        self._run_misses = run_sums(weights * (1 - hits), starts)
        self.first_rows = rows[group_starts]
        self.sizes = np.diff(group_starts, append=len(rows))
        self.weights = run_sums(weights, group_starts)
        self.positives = self._by_group(self._run_positives)

    def areas(self) -> NDArray[np.float64]:
        """Return the area under the ROC curve of the weighted rows of each group, [G]; NaN where a class is absent."""
        below = np.cumsum(self._run_misses) - self._run_misses
        below -= below[self._first_runs][self._run_groups]
        right = self._by_group(self._run_hits * (below + self._run_misses / 2))
        pairs = self._by_group(self._run_hits) * self._by_group(self._run_misses)
        areas: NDArray[np.float64] = np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
        return areas

    def gains(self, discounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the discounts of the ranks of each group's positive rows, times their gains, [G].

        Tied rows share the ranks that they hold together, so that the sum is its mean over all orders of them: McSherry
        and Najork, Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores,
        ECIR 2008.

        Args:
            discounts: float64 [k], of ranks 1 to k; those beyond gain nothing.
        """
        totals = np.append(0.0, np.cumsum(discounts))
        group_ends = np.cumsum(self.sizes)[self._run_groups]
        better = group_ends - self._run_ends  # rows of the group that rank above the run
        held = totals[np.minimum(better + self._run_sizes, len(discounts))] - totals[np.minimum(better, len(discounts))]
        return self._by_group(self._run_positives * held / self._run_sizes)

    def _by_group(self, of_runs: NDArray[np.float64]) -> NDArray[np.float64]:
        return run_sums(of_runs, self._first_runs)
