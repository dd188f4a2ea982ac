"""Balancing the losses of tasks that train together: the gradients of a step from the losses of a batch."""

from collections.abc import Sequence

from polyrank.errors import ConfigError
from polyrank.tasks import CountTask, Task

from .combining import GradientCombination
from .config import BalancingConfig
from .dwa import DynamicWeightAverage
from .fixed import Balancer, FixedWeights
from .gradnorm import GradientNormalization
from .uncertainty import UncertaintyWeights
from .weightings import build_weighting

__all__ = ["Balancer", "BalancingConfig", "build_balancer"]


def build_balancer(config: BalancingConfig, tasks: Sequence[Task], *, seed: int) -> Balancer:
    """Make what `config` names; fixed weights where there is one task, and nothing to balance.

    Args:
        config: the method.
        tasks: of the schema, whose weights multiply their losses before all else.
        seed: of the run; PCGrad projects in random order.

    Raises:
        ConfigError: the method compares losses, and a task's may be below 0.
        MissingExtraError: the method needs the extra `balancing`.
    """
    if len(tasks) == 1:
        return FixedWeights(tasks)
    _check_losses(config, tasks)
    match config.method:
        case "fixed":
            return FixedWeights(tasks)
        case "uncertainty":
            return UncertaintyWeights(tasks, config.lr)
        case "dwa":
            return DynamicWeightAverage(tasks, config.temperature)
        case "gradnorm":
            return GradientNormalization(tasks, config.alpha, config.lr)
    return GradientCombination(tasks, build_weighting(config, seed))


def _check_losses(config: BalancingConfig, tasks: Sequence[Task]) -> None:
    for task in tasks:
        if isinstance(task, CountTask) and config.method in ("uncertainty", "dwa", "gradnorm"):
            raise ConfigError(
                f"$.balancing.method = {config.method!r} needs losses of 0 and above, and that of a count task may be "
                f"below (task {task.name!r}); use 'fixed', 'pcgrad', 'cagrad', 'upgrad', 'mgda' or 'nash_mtl'"
            )
