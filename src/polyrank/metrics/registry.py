"""Which metrics a task has, and which way is better."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from polyrank.errors import ConfigError
from polyrank.schema import Schema
from polyrank.spelling import suggestion
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task

from . import classes, errors, levels, probabilities, ranking
from .observed import Observed
from .pairs import OrderedPairs
from .statistics import Statistic

ONE_CLASS = "its observed labels are of one class"
TINY = 1e-12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of a task.

    Attributes:
        name: such as `auc`.
        best: whether a high value is good, a low one, or one near 1.
        prepare: makes the statistic of rows; metrics of one name are equal, whichever function it is.
        undefined: why it is NaN though there are rows.
        is_headline: shown where there is one line for all tasks.
        needs_groups: it is a mean over groups.
    """

    name: str
    best: Literal["high", "low", "one"]
    prepare: Callable[[Observed], Statistic] = dataclasses.field(compare=False)
    undefined: str = ""
    is_headline: bool = False
    needs_groups: bool = False

    def cost(self, value: float) -> float:
        """Return how bad a value is: the lower, the better; infinity for NaN."""
        if math.isnan(value):
            return math.inf
        if self.best == "one":
            return abs(math.log(value)) if value > 0 else math.inf
        return -value if self.best == "high" else value


def joint_cost(schema: Schema, values: Mapping[str, Mapping[str, float]]) -> float:
    """Return how bad all tasks are together: the lower, the better; infinity where none has a defined metric.

    It is the mean over tasks of the logarithm of their first metric, of `auc` that of what it lacks to 1: a tenth less
    of it counts alike in each task, whatever its unit.
    """
    costs = []
    for task in schema.tasks:
        metric = next(_metrics(task))
        value = values[task.name][metric.name]
        cost = 1.0 - value if metric.best == "high" else value
        if math.isfinite(cost):
            costs.append(math.log(max(cost, TINY)))
    return sum(costs) / len(costs) if costs else math.inf


def metrics_of(task: Task, *, grouped: bool) -> tuple[Metric, ...]:
    """Return the metrics of a task; without those over groups when rows are not `grouped`."""
    return tuple(metric for metric in _metrics(task) if grouped or not metric.needs_groups)


def metric_names(task: Task, *, grouped: bool = True) -> tuple[str, ...]:
    """Return the names of the metrics of a task, those over groups among them when rows are `grouped`."""
    return tuple(metric.name for metric in metrics_of(task, grouped=grouped))


def find_metric(schema: Schema, name: str) -> tuple[Task, Metric]:
    """Find a task and one of its metrics by a name such as `click.auc`.

    Raises:
        ConfigError: there is none; the message says what there is.
    """
    grouped = schema.group is not None
    found = {f"{task.name}.{metric.name}": (task, metric) for task in schema.tasks for metric in _metrics(task)}
    offered = [known for known, (_, metric) in found.items() if grouped or not metric.needs_groups]
    if name in found and name not in offered:
        raise ConfigError(f"metric {name!r} is a mean over groups, and the schema names no group column")
    if name not in found:
        hint = suggestion(name, offered)
        raise ConfigError(f"metric {name!r} is none of this schema{hint}; there are {', '.join(offered)}")
    return found[name]


def _metrics(task: Task) -> Iterator[Metric]:
    match task:
        case BinaryTask():
            yield from BINARY
        case RegressionTask():
            yield from REGRESSION
            if task.transform == "log1p":
                yield Metric(name="rmsle", best="low", prepare=errors.rmsle, is_headline=True)
        case CountTask():
            yield from COUNT
        case OrdinalTask():
            yield from _ordinal(task)
        case MulticlassTask():
            yield from MULTICLASS


def _over_groups(name: str, prepare: Callable[[Observed], Statistic], undefined: str, *, is_headline: bool) -> Metric:
    return Metric(
        name=name, best="high", prepare=prepare, undefined=undefined, is_headline=is_headline, needs_groups=True
    )


BINARY = (
    Metric(name="auc", best="high", prepare=ranking.Area, undefined=ONE_CLASS, is_headline=True),
    _over_groups("gauc", ranking.grouped_area, "no group has observed labels of both classes", is_headline=True),
    Metric(name="log_loss", best="low", prepare=probabilities.log_loss),
    Metric(name="normalized_entropy", best="low", prepare=probabilities.normalized_entropy, undefined=ONE_CLASS),
    Metric(name="calibration_error", best="low", prepare=probabilities.CalibrationError),
    Metric(
        name="calibration", best="one", prepare=probabilities.calibration, undefined="none of its observed labels is 1"
    ),
    _over_groups(f"ndcg@{ranking.TOP}", ranking.ndcg, "no group has an observed label of 1", is_headline=False),
    _over_groups(f"recall@{ranking.TOP}", ranking.recall, "no group has an observed label of 1", is_headline=False),
)
REGRESSION = (
    Metric(name="rmse", best="low", prepare=errors.rmse, is_headline=True),
    Metric(name="mae", best="low", prepare=errors.mae),
    Metric(name="xauc", best="high", prepare=OrderedPairs, undefined="its observed labels are all equal"),
)
COUNT = (
    Metric(name="rmse", best="low", prepare=errors.rmse, is_headline=True),
    Metric(name="mae", best="low", prepare=errors.mae),
    Metric(name="poisson_deviance", best="low", prepare=errors.poisson_deviance, is_headline=True),
    Metric(
        name="calibration", best="one", prepare=probabilities.calibration, undefined="its observed labels are all 0"
    ),
)
MULTICLASS = (
    Metric(name="log_loss", best="low", prepare=classes.class_log_loss, is_headline=True),
    Metric(name="accuracy", best="high", prepare=classes.class_accuracy, is_headline=True),
    Metric(name="macro_auc", best="high", prepare=classes.MacroArea, undefined=ONE_CLASS),
)


def _ordinal(task: OrdinalTask) -> Iterator[Metric]:
    yield Metric(name="rmse", best="low", prepare=errors.rmse, is_headline=True)
    yield Metric(name="mae", best="low", prepare=errors.mae)
    yield Metric(
        name="quadratic_kappa",
        best="high",
        prepare=lambda observed: levels.quadratic_kappa(observed, task.levels),
        undefined="its observed labels and the answers nearest to them are all of one level",
        is_headline=True,
    )
    yield Metric(name="accuracy", best="high", prepare=lambda observed: levels.level_accuracy(observed, task.levels))
