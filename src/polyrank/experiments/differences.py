"""The mean of an arm less that of the baseline, with how sure it is."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec
import numpy as np

from polyrank.metrics import Interval

from .results import FEW_USERS, ArmMean, Difference, TaskComparison, detectable
from .testing import holm, two_sided
from .users import ArmSums, covariance


def arm_mean(arm: str, sums: ArmSums, confidence: float) -> ArmMean:
    """Return the mean of an arm, with its interval."""
    interval = None if sums.mean is None else around(sums.mean, _root(_variance(sums)), confidence)
    return ArmMean(arm=arm, users=sums.users, impressions=sums.impressions, mean=sums.mean, interval=interval)


def difference(arm: str, sums: ArmSums, baseline: ArmSums, confidence: float) -> Difference:
    """Compare an arm with the baseline. Users of both count as what they are: the same."""
    users = int(np.count_nonzero(sums.counts + baseline.counts))
    found = Difference(arm=arm, users=users)
    if sums.mean is None or baseline.mean is None:
        return found
    absolute = sums.mean - baseline.mean
    error = _error(sums, baseline, 1.0, 1.0)
    if math.isnan(error):
        return msgspec.structs.replace(found, absolute=absolute, relative=_ratio(absolute, baseline.mean))
    return msgspec.structs.replace(
        found,
        absolute=absolute,
        interval=around(absolute, error, confidence),
        relative=_ratio(absolute, baseline.mean),
        relative_interval=_relative_interval(sums, baseline, confidence),
        p_value=two_sided(absolute, error),
        error=error,
        detectable=detectable(error, confidence),
    )


def adjusted(tasks: Sequence[TaskComparison]) -> tuple[TaskComparison, ...]:
    """Give p-values that hold for all differences together."""
    known = [each.p_value for task in tasks for each in task.differences if each.p_value is not None]
    values = iter(holm(known))
    return tuple(
        msgspec.structs.replace(
            task,
            differences=tuple(
                each if each.p_value is None else msgspec.structs.replace(each, adjusted_p=next(values))
                for each in task.differences
            ),
        )
        for task in tasks
    )


def around(value: float, error: float, confidence: float) -> Interval | None:
    """Return the interval of a normal distribution; None where the standard error is not known."""
    if math.isnan(error):
        return None
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return (value - reach, value + reach)


def _relative_interval(sums: ArmSums, baseline: ArmSums, confidence: float) -> Interval | None:
    """Return the interval of the ratio of two means, less 1, by the delta method.

    Deng, Knoblich and Lu, Applying the Delta Method in Metric Analytics, KDD 2018, section 3.1.
    """
    first, second = sums.mean, baseline.mean
    own = around(second or 0.0, _root(_variance(baseline)), confidence)
    if not first or not second or own is None or own[0] <= 0 <= own[1]:
        return None
    error = _error(sums, baseline, 1 / second, first / second**2)
    return around(first / second - 1, error, confidence)


def _error(sums: ArmSums, baseline: ArmSums, own: float, others: float) -> float:
    """Return the standard error of `own` times one mean less `others` times the other."""
    variance = own**2 * _variance(sums) + others**2 * _variance(baseline)
    return _root(variance - 2 * own * others * covariance(sums, baseline))


def _variance(sums: ArmSums) -> float:
    """Return the variance of a mean; NaN where few users are all alike, which says nothing of how others differ."""
    variance = covariance(sums, sums)
    return math.nan if variance == 0 and sums.users < FEW_USERS else variance


def _root(variance: float) -> float:
    return math.nan if math.isnan(variance) else math.sqrt(max(variance, 0.0))


def _ratio(absolute: float, mean: float) -> float | None:
    return absolute / mean if mean else None
