"""Examination from pairs of ranks at which one item was shown to one user.

Agarwal, Zaitsev, Wang, Li, Najork and Joachims, Estimating Position Bias without Intrusive Interventions, WSDM 2019:
what differs between the ranks of one item for one user is who looks, not what it is worth. For each pair of ranks
clicks of the items that were shown at both are summed, in the weights of Mantel and Haenszel (Statistical Aspects of
the Analysis of Data from Retrospective Studies of Disease, JNCI 22, 1959), which are best where a rank has few
impressions of each. Of such a sum at ranks j and k the share at j is expected to be `p[j] / (p[j] + p[k])`; so all
pairs together are a model of Bradley and Terry, whose likelihood is maximised by Hunter, MM Algorithms for Generalized
Bradley-Terry Models, Annals of Statistics 32, 2004.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clusters import by_user, errors, users_in_turn
from .shown_rows import RankedRows

Floats = NDArray[np.float64]

UNITS_AT_ONCE = 16_384
MIN_CLICKS = 20
"""With fewer clicks at a rank, of items that were shown at another one too, pairs tell too little of it."""

STEPS, CLOSE = 10_000, 1e-10


@dataclasses.dataclass(frozen=True)
class Logs:
    """Logarithms of examination, as found.

    Attributes:
        values: float64 [K], that of the first 0.
        errors: standard errors, float64 [K], that of the first 0.
    """

    values: Floats
    errors: Floats


def harvested(rows: RankedRows) -> RankedRows:
    """Return the rows of units that were shown at two ranks or more, with their units numbered anew."""
    cells = np.unique(rows.units * rows.num_ranks + rows.ranks)
    several = np.bincount(cells // rows.num_ranks, minlength=int(rows.units.max(initial=-1)) + 1) > 1
    found = rows[several[rows.units]]
    return dataclasses.replace(found, units=np.unique(found.units, return_inverse=True)[1].reshape(-1))


def tells_enough(rows: RankedRows) -> bool:
    """Say whether harvested rows tell of every rank: by some clicks, and by chains of pairs from the first and to it.

    Ford, Solution of a Ranking Problem from Binary Comparisons, American Mathematical Monthly 64, 1957: without both
    chains some ranks beat all others, and nothing finite is most likely.
    """
    if np.bincount(rows.ranks, rows.clicks, rows.num_ranks).min() < MIN_CLICKS:
        return False
    wins = pair_clicks(rows) > 0
    return bool(reached_from_first(wins).all() and reached_from_first(wins.T).all())


def reached_from_first(linked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the ranks that a chain of links leads to from the first, bool [K]; links are bool [K, K]."""
    reached: NDArray[np.bool_] = np.arange(len(linked)) == 0
    for _ in range(len(linked)):
        reached = reached | linked[reached].any(axis=0)
    return reached


def estimate_by_pairs(rows: RankedRows) -> Logs:
    """Estimate examination by harvested rows that tell enough."""
    wins = pair_clicks(rows)
    shares = _bradley_terry(wins)
    logs = np.log(shares / shares[0])
    slope = _slope(wins, shares)
    spread = _spread(rows, shares)
    return Logs(logs, np.append(0.0, errors(slope[1:, 1:], spread[1:, 1:], rows.num_users)))


def pair_clicks(rows: RankedRows) -> Floats:
    """Return clicks at the first rank of each pair, float64 [K, K], weighed as Mantel and Haenszel do."""
    wins = np.zeros((rows.num_ranks, rows.num_ranks))
    for shown, clicks in _units(rows):
        for rank in range(rows.num_ranks):
            both = (shown[:, rank : rank + 1] > 0) & (shown > 0)
            weights = np.divide(shown, shown[:, rank : rank + 1] + shown, where=both, out=np.zeros_like(shown))
            wins[rank] += clicks[:, rank] @ weights
    np.fill_diagonal(wins, 0.0)
    return wins


def _units(rows: RankedRows) -> Iterator[tuple[Floats, Floats]]:
    """Yield how often units were shown and clicked at each rank, float64 [units, K] each, some units at a time."""
    order = np.argsort(rows.units, kind="stable")
    units = rows.units[order]
    for first in range(0, int(units[-1]) + 1 if len(units) else 0, UNITS_AT_ONCE):
        chosen = order[slice(*np.searchsorted(units, [first, first + UNITS_AT_ONCE]))]
        cells = (rows.units[chosen] - first) * rows.num_ranks + rows.ranks[chosen]
        size = (int(rows.units[chosen].max()) - first + 1) * rows.num_ranks
        shown, clicks = np.bincount(cells, minlength=size), np.bincount(cells, rows.clicks[chosen], size)
        yield _by_rank(shown, rows.num_ranks), _by_rank(clicks, rows.num_ranks)


def _by_rank(cells: NDArray[Any], num_ranks: int) -> Floats:
    return cells.astype(np.float64).reshape(-1, num_ranks)


def _bradley_terry(wins: Floats) -> Floats:
    """Return the shares that make these wins of each over each most likely, float64 [K], above 0."""
    both = wins + wins.T
    shares = np.ones(len(wins))
    for _ in range(STEPS):
        better: Floats = wins.sum(axis=1) / (both / (shares[:, None] + shares)).sum(axis=1)
        better = better / better[0]
        if np.abs(better / shares - 1).max() < CLOSE:
            return better
        shares = better
    return shares


def _slope(wins: Floats, shares: Floats) -> Floats:
    """Return the derivative of the likelihood's equations by logarithms of shares, float64 [K, K]."""
    share = shares[:, None] / (shares[:, None] + shares)
    slope = (wins + wins.T) * share * (1 - share)
    np.fill_diagonal(slope, 0.0)
    np.fill_diagonal(slope, -slope.sum(axis=1))
    return slope


def _spread(rows: RankedRows, shares: Floats) -> Floats:
    """Return how much users move the equations: see `by_user`."""
    shown = np.bincount(rows.units, shares[rows.ranks])
    surprises = rows.clicks - shares[rows.ranks] * (np.bincount(rows.units, rows.clicks) / shown)[rows.units]
    cells = rows.units * rows.num_ranks + rows.ranks
    counts = _Counts(*np.unique(cells, return_counts=True))
    spread = np.zeros((rows.num_ranks, rows.num_ranks))
    for chosen, users in users_in_turn(rows.users):
        spread += by_user(_scores(rows[chosen], surprises[chosen], shares, counts), users)
    return spread


@dataclasses.dataclass(frozen=True)
class _Counts:
    """How often units were shown at ranks: cells `unit * K + rank`, ascending, and their counts."""

    cells: NDArray[np.int64]
    counts: NDArray[np.int64]

    def of(self, cells: NDArray[np.int64]) -> Floats:
        place = np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)
        return np.where(self.cells[place] == cells, self.counts[place], 0).astype(np.float64)


def _scores(rows: RankedRows, surprises: Floats, shares: Floats, counts: _Counts) -> Floats:
    """Return how much each row moves the equations, float64 [B, K]."""
    own = counts.of(rows.units * rows.num_ranks + rows.ranks)
    scores = np.zeros((len(rows), rows.num_ranks))
    for rank in range(rows.num_ranks):
        other = counts.of(rows.units * rows.num_ranks + rank)
        away = np.where(rows.ranks == rank, 0.0, other / (own + other))
        scores[:, rank] = -surprises * away * shares[rank] / (shares[rank] + shares[rows.ranks])
    np.put_along_axis(scores, rows.ranks[:, None], -scores.sum(axis=1, keepdims=True), axis=1)
    return scores
