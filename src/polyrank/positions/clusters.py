"""Standard errors of parameters that rows of one user move together."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

USERS_AT_ONCE = 65_536


def users_in_turn(users: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows of whole users, some users at a time, each with the number of its user among those.

    Args:
        users: int64 [B], codes from 0.
    """
    order = np.argsort(users, kind="stable")
    codes = users[order]
    for first in range(0, int(codes[-1]) + 1 if len(codes) else 0, USERS_AT_ONCE):
        low, high = np.searchsorted(codes, [first, first + USERS_AT_ONCE])
        yield order[low:high], codes[low:high] - first


def by_user(scores: Floats, users: NDArray[np.int64]) -> Floats:
    """Return the sum of outer products of each user's sum of scores, float64 [P, P].

    Args:
        scores: float64 [B, P].
        users: int64 [B], small codes from 0.
    """
    sums = np.zeros((int(users.max(initial=-1)) + 1, scores.shape[1]))
    np.add.at(sums, users, scores)
    return sums.T @ sums


def errors(slope: Floats, spread: Floats, users: int) -> Floats:
    """Return standard errors of the parameters that solve equations, float64 [P].

    Liang and Zeger, Longitudinal Data Analysis Using Generalized Linear Models, Biometrika 73, 1986: the inverse of the
    slope on both sides of the spread.

    Args:
        slope: of the equations by the parameters, float64 [P, P].
        spread: see `by_user`.
        users: how many they are the sum of.
    """
    inverse = np.linalg.pinv(slope)
    variances = np.diag(inverse @ spread @ inverse.T) * users / max(users - 1, 1)
    found: Floats = np.sqrt(np.maximum(variances, 0.0))
    return found
