"""What changes from one model to another, and how sure that is."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from polyrank.metrics import Bootstrap, Interval, Metric
from polyrank.metrics.evaluation import group_codes, prepared
from polyrank.metrics.intervals import percentile_interval, resampled
from polyrank.metrics.observed import Observed
from polyrank.schema import Schema
from polyrank.tasks import Task
from polyrank.train.validation import AnsweredRows

Verdict = Literal["better", "worse", "no clear difference", "unknown"]
SeedAnswers = Sequence[Mapping[str, NDArray[np.float32]]]
"""Answers to the same rows, as `evaluate` takes them, of one model after each of its seeds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """A metric of a task, of one model and of the baseline.

    Attributes:
        task: its name.
        metric: its name.
        best: whether a high value is good, a low one, or one near 1.
        model: what is compared with the baseline.
        values: of the model after each seed.
        baseline: of the baseline after the same seeds.
        difference: mean of the first less mean of the second; NaN where one is undefined.
        seeds_interval: of the difference, over seeds: what other initial weights and orders of rows may change.
        rows_interval: over validation rows, or groups of them.
        interval: over both; None where nothing is known of either.
        verdict: what `interval` says.
    """

    task: str
    metric: str
    best: Literal["high", "low", "one"]
    model: str
    values: tuple[float, ...]
    baseline: tuple[float, ...]
    difference: float
    seeds_interval: Interval | None = None
    rows_interval: Interval | None = None
    interval: Interval | None = None
    verdict: Verdict = "unknown"


def changes(
    schema: Schema, models: Mapping[str, SeedAnswers], rows: AnsweredRows, bootstrap: Bootstrap
) -> list[Change]:
    """Compare each model with the first one, in every headline metric of every task.

    Args:
        schema: names the tasks.
        models: answers of each model; the first is the baseline, and all have as many seeds.
        rows: labels, groups and weights that they are measured against.
        bootstrap: how rows are drawn, and the level of all intervals.
    """
    codes = None if rows.groups is None else group_codes(rows.groups)
    found = []
    for index, task in enumerate(schema.tasks):
        observed = {
            name: [Observed.of(answers[task.name], rows.labels[:, index], rows.weights, codes) for answers in seeds]
            for name, seeds in models.items()
        }
        found += _changes_of_task(task, observed, bootstrap)
    return found


def t_interval(differences: NDArray[np.float64], level: float) -> Interval | None:
    """Return Student's interval of a mean, from float64 [n]; None of fewer than two.

    Student, The Probable Error of a Mean, Biometrika 6, 1908.
    """
    if len(differences) < 2:  # noqa: PLR2004
        return None
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return _around(float(differences.mean()), error, len(differences) - 1, level)


def joint_interval(differences: NDArray[np.float64], drawn: NDArray[np.float64], level: float) -> Interval:
    """Return the interval of a mean difference that seeds and rows make uncertain, each on its own.

    The variance of the mean over seeds and that over resampled rows add up. The degrees of freedom are those of
    Satterthwaite, An Approximate Distribution of Estimates of Variance Components, Biometrics Bulletin 2, 1946, with
    as many for the rows that theirs is known. One seed says nothing of other seeds: the interval is that of the rows.

    Args:
        differences: of each seed, float64 [n].
        drawn: their mean in each resample of the rows, float64 [resamples]; NaN does not count.
        level: of the interval.
    """
    if len(differences) < 2:  # noqa: PLR2004
        return percentile_interval(drawn, level)
    drawn = drawn[~np.isnan(drawn)]
    of_seeds = float(differences.var(ddof=1)) / len(differences)
    of_rows = float(drawn.var(ddof=1)) if len(drawn) > 1 else math.nan
    freedom = math.inf if of_seeds == 0 else (len(differences) - 1) * ((of_seeds + of_rows) / of_seeds) ** 2
    return _around(float(differences.mean()), math.sqrt(of_seeds + of_rows), freedom, level)


def verdict(interval: Interval | None, best: Literal["high", "low", "one"]) -> Verdict:
    """Say what an interval of a difference means; a metric that is best near 1 has no better side of 0."""
    if interval is None or best == "one" or math.isnan(interval[0]):
        return "unknown"
    low, high = interval if best == "high" else (-interval[1], -interval[0])
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no clear difference"


def _around(mean: float, error: float, freedom: float, level: float) -> Interval:
    from scipy.stats import norm, t

    quantile = norm.ppf((1 + level) / 2) if math.isinf(freedom) else t.ppf((1 + level) / 2, freedom)
    reach = error * float(quantile)
    return (mean - reach, mean + reach)


@dataclasses.dataclass(frozen=True)
class Measured:
    """A metric after each seed, float64 [n], and the same in each resample of the rows, float64 [n, resamples]."""

    values: NDArray[np.float64]
    drawn: NDArray[np.float64]


def _changes_of_task(task: Task, models: Mapping[str, Sequence[Observed]], bootstrap: Bootstrap) -> list[Change]:
    measured = {name: _measured(task, seeds, bootstrap) for name, seeds in models.items()}
    first, *others = measured
    return [
        _change(task, metric, name, bootstrap.level, (measured[first][metric], measured[name][metric]))
        for metric in measured[first]
        for name in others
    ]


def _measured(task: Task, seeds: Sequence[Observed], bootstrap: Bootstrap) -> dict[Metric, Measured]:
    found: dict[Metric, list[tuple[float, NDArray[np.float64]]]] = {}
    for observed in seeds:
        statistics = prepared(task, observed, dataclasses.replace(bootstrap, headline_only=True))
        drawn = resampled({metric.name: statistic for metric, statistic in statistics.items()}, observed, bootstrap)
        for metric, statistic in statistics.items():
            found.setdefault(metric, []).append((statistic.value(np.ones(len(observed))), drawn[metric.name]))
    return {
        metric: Measured(np.array([value for value, _ in own]), np.stack([draws for _, draws in own]))
        for metric, own in found.items()
    }


def _change(task: Task, metric: Metric, model: str, level: float, pair: tuple[Measured, Measured]) -> Change:
    baseline, other = pair
    differences = other.values - baseline.values
    drawn = (other.drawn - baseline.drawn).mean(axis=0)
    interval = joint_interval(differences, drawn, level)
    return Change(
        task=task.name,
        metric=metric.name,
        best=metric.best,
        model=model,
        values=tuple(other.values.tolist()),
        baseline=tuple(baseline.values.tolist()),
        difference=float(differences.mean()),
        seeds_interval=t_interval(differences, level),
        rows_interval=percentile_interval(drawn, level),
        interval=interval,
        verdict=verdict(interval, metric.best),
    )
