"""Balancing the losses of tasks that train together: the gradients of a step from the losses of a batch."""

from collections.abc import Sequence

from polyrank.tasks import Task
from polyrank.train.processes import ALONE, Processes

from .combining import GradientCombination
from .config import BalancingConfig
from .dwa import DynamicWeightAverage
from .fixed import Balancer, FixedWeights
from .gradnorm import GradientNormalization
from .uncertainty import UncertaintyWeights
from .weightings import build_weighting

__all__ = ["Balancer", "BalancingConfig", "build_balancer"]


def build_balancer(
    config: BalancingConfig, tasks: Sequence[Task], *, seed: int, processes: Processes = ALONE
) -> Balancer:
    """Make what `config` names; fixed weights where there is one task, and nothing to balance.

    Args:
        config: the method.
        tasks: of the schema, whose weights multiply their losses before all else.
        seed: of the run; PCGrad projects in random order.
        processes: those whose losses are parts of one, see `with_total`.

    Raises:
        MissingExtraError: the method needs the extra `balancing`.
    """
    if len(tasks) == 1:
        return FixedWeights(tasks)
    match config.method:
        case "fixed":
            return FixedWeights(tasks)
        case "uncertainty":
            return UncertaintyWeights(tasks, config.lr)
        case "dwa":
            return DynamicWeightAverage(tasks, config.temperature)
        case "gradnorm":
            return GradientNormalization(tasks, config.alpha, config.lr, processes)
    return GradientCombination(tasks, build_weighting(config, seed), processes)
