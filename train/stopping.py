"""Early stopping: the weights of the best validation, and when no better one is to be expected."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from polyrank.errors import ConfigError
from polyrank.metrics import Evaluation, Metrics, find_metric, joint_cost, metric_names
from polyrank.schema import Schema

from .config import TrainConfig
from .config_sections import EarlyStoppingConfig

logger = logging.getLogger(__name__)


class Stopping:
    """Judges validations; with a given number of epochs and no early stopping it never stops and keeps no weights.

    Args:
        config: how to train.
        schema: its tasks.
        validations_per_epoch: how many there are; with `epochs = "auto"` a whole epoch may be no better.
    """

    def __init__(self, config: TrainConfig, schema: Schema, *, validations_per_epoch: int = 1) -> None:
        """Prepare.

        Raises:
            ConfigError: the schema has no such metric.
        """
        rule = config.early_stopping or EarlyStoppingConfig(patience=validations_per_epoch)
        self._patience = rule.patience if config.keeps_best else None
        self._cost = _cost(schema, rule.metric)
        self._schema, self._metric, self._is_warned = schema, rule.metric, False
        self.best_cost = math.inf
        self.weights: dict[str, Tensor] = {}
        self.num_worse = 0

    @property
    def is_due(self) -> bool:
        """Whether `patience` validations in a row were no better than the best."""
        return self._patience is not None and self.num_worse >= self._patience

    def judge(self, found: Evaluation, model: nn.Module) -> None:
        """Look at a validation, and keep the weights of the best one.

        An undefined metric is worse than any that is defined, and says nothing beside others that are undefined: until
        one is defined the last weights are kept, and training goes on. There is a warning of the first.
        """
        if self._patience is None:
            return
        cost = self._cost(found.values)
        if math.isinf(cost) and not self._is_warned:
            self._is_warned = True
            self._warn_undefined(found)
        if cost < self.best_cost or math.isinf(self.best_cost):
            self.best_cost, self.num_worse = cost, 0
            self.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            self.num_worse += 1

    def _warn_undefined(self, found: Evaluation) -> None:
        names = (
            [self._metric] if self._metric else [f"{task.name}.{metric_names(task)[0]}" for task in self._schema.tasks]
        )
        why = [f"{name} is undefined ({_reason(found, name)})" for name in names]
        logger.warning(
            "of the validation rows %s, so that %s; look at these rows, or set another $.early_stopping.metric",
            " and ".join(why),
            "this validation counts as no better"
            if math.isfinite(self.best_cost)
            else "training does not end early, and keeps its last weights",
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the weights that were kept, and what later validations are compared with."""
        return self.weights, {"best_cost": self.best_cost, "num_worse": self.num_worse}

    def load_state(self, weights: dict[str, Tensor], judged: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.weights = {name: tensor.clone() for name, tensor in weights.items()}
        self.best_cost, self.num_worse = float(judged["best_cost"]), int(judged["num_worse"])

    def restore(self, model: nn.Module) -> None:
        """Give the model the weights of the best validation, if they were kept."""
        if self.weights:
            model.load_state_dict(self.weights)


def _reason(found: Evaluation, name: str) -> str:
    task, _, metric = name.partition(".")
    return found.undefined.get(task, {}).get(metric, "it is not finite")


def _cost(schema: Schema, name: str | None) -> Callable[[Metrics], float]:
    if name is None:
        return lambda metrics: joint_cost(schema, metrics)
    try:
        task, metric = find_metric(schema, name)
    except ConfigError as err:
        raise ConfigError(f"$.early_stopping.metric: {err}") from err
    return lambda metrics: metric.cost(metrics[task.name][metric.name])
