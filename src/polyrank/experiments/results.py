"""What a comparison of arms finds, as it is written to a file."""

import math
from statistics import NormalDist
from typing import ClassVar

import msgspec

from polyrank.arguments import is_number, shown
from polyrank.errors import ConfigError
from polyrank.metrics import Interval
from polyrank.result_files import ResultFile

FORMAT = 1

POWER = 0.8
"""How often a difference that is called detectable is found."""

MISMATCH = 0.001
"""A sample ratio that is rarer than this is no chance."""

FEW_USERS = 100
"""With fewer users in an arm intervals by the normal distribution are too narrow."""


class ArmSize(msgspec.Struct, frozen=True, kw_only=True):
    """An arm.

    Attributes:
        name: of the arm, or the version.
        users: how many saw it; a row without a user counts as one.
        impressions: its rows.
    """

    name: str
    users: int
    impressions: int


class ArmMean(msgspec.Struct, frozen=True, kw_only=True):
    """A task in an arm.

    Attributes:
        arm: its name.
        users: those with a label that was observed.
        impressions: observed labels.
        mean: of them; None without any.
        interval: of the mean; None with fewer than two users.
    """

    arm: str
    users: int
    impressions: int
    mean: float | None
    interval: Interval | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of an arm less that of the baseline; what cannot be told is None.

    Attributes:
        arm: its name.
        users: with an observed label in the arm or the baseline.
        absolute: the difference.
        interval: of it.
        relative: as a share of the baseline's mean.
        relative_interval: of it; None where the baseline's mean is not surely apart from 0.
        p_value: two-sided, of no difference.
        adjusted_p: likewise, of all that were compared together (Holm, A Simple Sequentially Rejective Multiple Test
            Procedure, Scandinavian Journal of Statistics 6, 1979).
        error: standard error of `absolute`.
        detectable: smallest difference that as many users show in four cases of five.
    """

    arm: str
    users: int
    absolute: float | None = None
    interval: Interval | None = None
    relative: float | None = None
    relative_interval: Interval | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    error: float | None = None
    detectable: float | None = None


class TaskComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A task in all arms.

    Attributes:
        task: its name.
        kind: of it.
        means: of each arm, in the order of `Comparison.arms`.
        differences: of each arm but the baseline.
    """

    task: str
    kind: str
    means: tuple[ArmMean, ...]
    differences: tuple[Difference, ...]


class SampleRatio(msgspec.Struct, frozen=True, kw_only=True):
    """Users of arms beside what was intended: where chance is no explanation, arms lost users unevenly.

    Fabijan et al., Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD 2019.

    Attributes:
        shares: intended, by arm, summing to 1.
        expected: users by arm.
        p_value: of users as far from that, by the chi-square test.
    """

    shares: dict[str, float]
    expected: dict[str, float]
    p_value: float

    @property
    def is_mismatch(self) -> bool:
        """Whether it is no chance; differences then mean little."""
        return self.p_value < MISMATCH


class Comparison(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """Arms beside a baseline.

    Attributes:
        by: column of arms.
        baseline: the arm that others are compared with.
        user: column of users, who are what was randomised.
        confidence: of intervals, which are not adjusted.
        arms: in their order, the baseline first.
        tasks: what was compared.
        shared_users: users with rows of more than one arm.
        outside: rows without an arm, which are left out.
        not_compared: tasks of classes, whose labels have no mean.
        ratio: users beside what was intended; None where that is not known.
        format: of this file.
    """

    noun: ClassVar[str] = "comparison of arms"
    verb: ClassVar[str] = "ab"
    newest: ClassVar[int] = FORMAT

    by: str
    baseline: str
    user: str
    confidence: float
    arms: tuple[ArmSize, ...]
    tasks: tuple[TaskComparison, ...]
    shared_users: int = 0
    outside: int = 0
    not_compared: tuple[str, ...] = ()
    ratio: SampleRatio | None = None
    format: int = FORMAT

    def differs(self, difference: Difference) -> bool:
        """Say whether a difference is more than chance, all comparisons taken together."""
        return difference.adjusted_p is not None and difference.adjusted_p < 1 - self.confidence

    def users_for(self, difference: Difference, size: float) -> int | None:
        """Return how many users in both arms, split as they are, show a difference of `size` in four cases of five.

        Raises:
            ConfigError: `size` is not above 0 and finite.
        """
        check_size(size)
        if difference.detectable is None:
            return None
        return math.ceil(difference.users * (difference.detectable / size) ** 2)


def check_size(size: object) -> None:
    """Refuse what is no size of a difference.

    Raises:
        ConfigError: it is not above 0 and finite.
    """
    if not is_number(size) or not 0 < size < math.inf:
        raise ConfigError(f"size must be above 0 and finite, got {shown(size)}")


def detectable(error: float, confidence: float) -> float:
    """Return the difference that is found in `POWER` of all cases at a standard error."""
    normal = NormalDist()
    return (normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(POWER)) * error
