"""Early stopping: the weights of the best validation, and when no better one is to be expected."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from polyrank.errors import ConfigError
from polyrank.metrics import Metrics, find_metric, joint_cost
from polyrank.schema import Schema

from .config import TrainConfig
from .config_sections import EarlyStoppingConfig


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
        self.best_cost = math.inf
        self.weights: dict[str, Tensor] = {}
        self.num_worse = 0

    @property
    def is_due(self) -> bool:
        """Whether `patience` validations in a row were no better than the best."""
        return self._patience is not None and self.num_worse >= self._patience

    def judge(self, metrics: Metrics, model: nn.Module) -> None:
        """Look at a validation, and keep the weights of the best one; an undefined metric is worse than any."""
        if self._patience is None:
            return
        cost = self._cost(metrics)
        if cost < self.best_cost or not self.weights:
            self.best_cost, self.num_worse = cost, 0
            self.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            self.num_worse += 1

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


def _cost(schema: Schema, name: str | None) -> Callable[[Metrics], float]:
    if name is None:
        return lambda metrics: joint_cost(schema, metrics)
    try:
        task, metric = find_metric(schema, name)
    except ConfigError as err:
        raise ConfigError(f"$.early_stopping.metric: {err}") from err
    return lambda metrics: metric.cost(metrics[task.name][metric.name])
