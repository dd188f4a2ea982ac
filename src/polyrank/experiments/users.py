"""Sums of labels by arm and user: users are what was randomised, and a user's rows move together."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class ArmSums:
    """Observed labels of a task in an arm, by user.

    Attributes:
        sums: of labels, float64 [U].
        counts: of labels, float64 [U].
    """

    sums: Floats
    counts: Floats

    @property
    def users(self) -> int:
        """Users with a label."""
        return int(np.count_nonzero(self.counts))

    @property
    def impressions(self) -> int:
        """Labels."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float | None:
        """Of labels; None without any."""
        total = self.counts.sum()
        return float(self.sums.sum() / total) if total else None

    @property
    def influence(self) -> Floats:
        """How much each user moves the mean, float64 [U], summing to 0: the delta method for a ratio of sums.

        Deng, Knoblich and Lu, Applying the Delta Method in Metric Analytics, KDD 2018, section 3.2.
        """
        total = self.counts.sum()
        moved: Floats = (self.sums - self.sums.sum() / total * self.counts) / total
        return moved


def covariance(first: ArmSums, second: ArmSums) -> float:
    """Return the covariance of two means over the users that have both; of one with itself its variance.

    NaN where a single user has one of them, who tells nothing of others.
    """
    users = int(np.count_nonzero((first.counts > 0) & (second.counts > 0)))
    if min(first.users, second.users) < 2:  # noqa: PLR2004 (what differs)
        return math.nan
    return float(first.influence @ second.influence) * users / (users - 1) if users > 1 else 0.0


def arm_sums(labels: NDArray[np.floating], users: NDArray[np.int64], chosen: NDArray[np.bool_], size: int) -> ArmSums:
    """Sum labels by user.

    Args:
        labels: [B]; NaN is unobserved.
        users: int64 [B], in [0, size).
        chosen: bool [B]: rows of the arm.
        size: U, how many users there are.
    """
    rows = chosen & ~np.isnan(labels)
    counts = np.bincount(users[rows], minlength=size).astype(np.float64)
    sums = np.bincount(users[rows], labels[rows].astype(np.float64), size)
    return ArmSums(sums.astype(np.float64), counts)
