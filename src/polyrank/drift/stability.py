"""How far two distributions are apart, and how far chance alone takes samples of one."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FALSE_ALARM_RATE = 0.001
"""How often chance alone may go beyond what is called its level."""

RARE = 10

Counts = NDArray[np.float64]


def without_rare(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """Return counts by bin, [B] each, with bins that are too rare to tell joined, in their order, until they are not.

    Rare is one with fewer than `RARE` rows expected on the side with fewer rows, if both were alike: with such bins the
    index is not distributed as `psi_by_chance` has it. What is left over joins the last that were joined, or else the
    smallest bin; without any it is one bin. Bins without a row are left out.
    """
    counts = np.stack([reference, current]).astype(np.float64)
    rows = counts.sum(axis=1)
    expected = counts.sum(axis=0) * rows.min() / rows.sum()
    common, joined, group, held = counts[:, expected >= RARE], list[Counts](), np.zeros(2), 0.0
    for place in np.flatnonzero(expected < RARE):
        group, held = group + counts[:, place], held + expected[place]
        if held >= RARE:
            joined.append(group)
            group, held = np.zeros(2), 0.0
    if joined:
        joined[-1] = joined[-1] + group
    elif common.size:
        common[:, common.sum(axis=0).argmin()] += group
    else:
        joined.append(group)
    first, second = np.column_stack([common, *joined])
    return first, second


def psi(reference: Counts, current: Counts) -> float:
    """Return the population stability index of counts by bin, [B] each: 0 and above, and the same in either order.

    Siddiqi, Credit Risk Scorecards, 2006: the sum of `(q - p) ln(q / p)` over the shares p and q of the bins. As many
    rows as there are bins are added to each side, spread as both sides together are, so that a bin that is empty on one
    is no infinite change.
    """
    counts = np.stack([reference, current]).astype(np.float64)
    together = counts.sum(axis=0)
    counts = counts[:, together > 0]
    together = together[together > 0]
    counts += len(together) * together / together.sum()
    first, second = counts / counts.sum(axis=1, keepdims=True)
    return float(((second - first) * np.log(second / first)).sum())


def psi_by_chance(bins: int, rows: tuple[float, float], chance: float = FALSE_ALARM_RATE) -> float:
    """Return what the index of two samples of one distribution goes beyond with probability `chance`.

    The index times `n m / (n + m)` is then about chi-square distributed with `bins - 1` degrees of freedom (Yurdakul,
    Statistical Properties of Population Stability Index, 2018).

    Args:
        bins: how many, none of them rare.
        rows: n and m, above 0.
        chance: in (0, 1).
    """
    return chi_square_quantile(1 - chance, bins - 1) * (1 / rows[0] + 1 / rows[1]) if bins > 1 else 0.0


def chi_square_quantile(level: float, degrees: int) -> float:
    """Return the quantile of a chi-square distribution, for `level` in (0, 1) and `degrees` of 1 and above.

    Wilson and Hilferty, The Distribution of Chi-square, PNAS 17, 1931: its cube root is about normal. At 0.999 it is
    3 % too high for one degree, and 0.7 % for nine.
    """
    spread = 2 / (9 * degrees)
    return float(degrees * max(0.0, 1 - spread + NormalDist().inv_cdf(level) * math.sqrt(spread)) ** 3)


def normal_limit(chance: float = FALSE_ALARM_RATE) -> float:
    """Return how many standard deviations chance goes beyond, to either side, with probability `chance`."""
    return NormalDist().inv_cdf(1 - chance / 2)


def share_by_chance(shares: tuple[float, float], rows: tuple[float, float], chance: float = FALSE_ALARM_RATE) -> float:
    """Return what the difference of two shares goes beyond with probability `chance`, if both samples are of one.

    Args:
        shares: in [0, 1].
        rows: that each is a share of, above 0.
        chance: in (0, 1).
    """
    pooled = (shares[0] * rows[0] + shares[1] * rows[1]) / sum(rows)
    return normal_limit(chance) * math.sqrt(max(0.0, pooled * (1 - pooled)) * (1 / rows[0] + 1 / rows[1]))


def ks_distance(reference: NDArray[np.float32], current: NDArray[np.float32]) -> float:
    """Return the Kolmogorov-Smirnov distance, the largest between the shares up to a number, of [n] and [m]."""
    first, second = np.sort(reference), np.sort(current)
    every = np.concatenate([first, second])
    below = (np.searchsorted(one, every, side="right") / len(one) for one in (first, second))
    return float(np.abs(next(below) - next(below)).max())
