"""Tests of no difference."""

import math
from collections.abc import Sequence

import numpy as np


def two_sided(value: float, error: float) -> float:
    """Return the probability of a value as far from 0 or farther, by a normal distribution around 0."""
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return math.erfc(abs(value) / error / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that hold for all together.

    Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    found: list[float] = adjusted.tolist()
    return found


def chi_square_tail(value: float, degrees: int) -> float:
    """Return how likely a chi-square distribution with these degrees of freedom, 1 and more, is above a value.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.4.4 and 26.4.5: a finite sum.
    """
    half = value / 2
    is_odd = degrees % 2 == 1
    tail = math.erfc(math.sqrt(half)) if is_odd else 0.0
    term = math.exp(-half) * (math.sqrt(half) / math.gamma(1.5) if is_odd else 1.0)
    for step in range(degrees // 2):
        tail += term
        term *= half / (step + (1.5 if is_odd else 1.0))
    return min(1.0, tail)


def sign_test(wins: int, losses: int) -> float:
    """Return the probability that a fair coin falls as unevenly, either way, in as many throws; 1 without any."""
    throws, fewer = wins + losses, min(wins, losses)
    steps = np.arange(1, fewer + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((throws - steps + 1) / steps))]) - throws * math.log(2)
    return min(1.0, 2 * float(np.exp(logs).sum()))
