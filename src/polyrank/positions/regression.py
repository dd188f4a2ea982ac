"""Examination beside relevance as scores tell it.

Wang, Golbandi, Bendersky, Metzler and Najork, Position Bias Estimation for Unbiased Learning to Rank in Personal
Search, WSDM 2018: a click is a look times relevance, and expectation-maximisation finds both, relevance by a
regression. Here the regression is the mean in each of some bins of the score, so that what rows tell is one table of
ranks and bins. It holds as far as rows of like scores are alike at all ranks.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError

from .clusters import errors, users_in_turn
from .pairs import Floats, Logs, reached_from_first
from .shown_rows import RankedRows

BINS = 50
STEPS, CLOSE = 20_000, 1e-8
SCALINGS = 200
MOST = 1 - 1e-9
"""A click is never certain."""


@dataclasses.dataclass(frozen=True)
class _Fit:
    """A model of clicks.

    Attributes:
        looks: float64 [K].
        relevance: float64 [bins].
    """

    looks: Floats
    relevance: Floats

    @property
    def chances(self) -> Floats:
        """Of a click, float64 [K, bins]."""
        return np.minimum(np.outer(self.looks, self.relevance), MOST)


def estimate_by_regression(rows: RankedRows, scores: NDArray[np.floating]) -> Logs:
    """Estimate examination by the scores of rows [B], each rank with a click or more.

    Raises:
        DataError: no chain of scores leads from the first rank to another one.
    """
    bins = _bins(scores)
    shape = (rows.num_ranks, int(bins.max()) + 1)
    cells = rows.ranks * shape[1] + bins
    shown = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    clicks = np.bincount(cells, rows.clicks, shape[0] * shape[1]).reshape(shape).astype(np.float64)
    _check_linked(shown > 0, clicks.sum(axis=0) > 0)
    fit = _maximised(shown, clicks)
    found = errors(_slope(shown, fit), _spread(rows, bins, fit), rows.num_users)
    logs = np.log(fit.looks / fit.looks[0])
    return Logs(logs, np.append(0.0, found[: rows.num_ranks - 1]))


def _check_linked(shown: NDArray[np.bool_], is_clicked: NDArray[np.bool_]) -> None:
    """Refuse bins that are of other ranks each: what is clicked more there may be looked at more, or be better."""
    telling = (shown & is_clicked).astype(np.int64)
    apart = np.flatnonzero(~reached_from_first(telling @ telling.T > 0))
    if len(apart):
        raise DataError(
            f"scores of rank {apart[0] + 1} are none of rank 1, so that looks cannot be told from relevance; "
            f"name another column with score, or give more rows"
        )


def _bins(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Part scores [B] into bins of about as many rows each, numbered from 0."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, scores, side="right"), return_inverse=True)[1].reshape(-1)


def _maximised(shown: Floats, clicks: Floats) -> _Fit:
    """Find what makes the clicks most likely, by steps that never make them less so."""
    fit = _scaled(shown, clicks)
    for _ in range(STEPS):
        looks, relevance, missed = fit.looks[:, None], fit.relevance, 1 - fit.chances
        seen = clicks + (shown - clicks) * looks * (1 - relevance) / missed
        liked = clicks + (shown - clicks) * (1 - looks) * relevance / missed
        better = _Fit(seen.sum(axis=1) / shown.sum(axis=1), liked.sum(axis=0) / shown.sum(axis=0))
        moved = np.abs(better.looks / better.looks[0] - fit.looks / fit.looks[0]).max()
        fit = better
        if moved < CLOSE:
            break
    return fit


def _scaled(shown: Floats, clicks: Floats) -> _Fit:
    """Begin where the clicks of each rank and of each bin are as many as the model expects."""
    looks = np.ones(len(shown))
    for _ in range(SCALINGS):
        relevance = clicks.sum(axis=0) / (looks @ shown)
        looks = clicks.sum(axis=1) / (shown @ relevance)
    most = math.sqrt(relevance.max() / looks.max())  # both are probabilities, and only their product is known
    return _Fit(np.minimum(looks * most, MOST), np.minimum(relevance / most, MOST))


def _weights(shown: Floats, fit: _Fit) -> Floats:
    return shown * fit.chances / (1 - fit.chances)


def _slope(shown: Floats, fit: _Fit) -> Floats:
    """Return the information on logarithms of looks, but the first, and of relevance: float64 [P, P]."""
    weights = _weights(shown, fit)
    slope = np.block([[np.diag(weights.sum(axis=1)), weights], [weights.T, np.diag(weights.sum(axis=0))]])
    return slope[1:, 1:]


def _spread(rows: RankedRows, bins: NDArray[np.int64], fit: _Fit) -> Floats:
    """Return how much users move the equations of the same."""
    chances = fit.chances[rows.ranks, bins]
    surprises = (rows.clicks - chances) / (1 - chances)
    size = len(fit.looks) + len(fit.relevance)
    spread = np.zeros((size, size))
    for chosen, users in users_in_turn(rows.users):
        count = int(users.max(initial=-1)) + 1
        sums = np.zeros((count, size))
        np.add.at(sums, (users, rows.ranks[chosen]), surprises[chosen])
        np.add.at(sums, (users, len(fit.looks) + bins[chosen]), surprises[chosen])
        spread += sums.T @ sums
    return spread[1:, 1:]
