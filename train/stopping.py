"""Early stopping: the weights of the best validation, and when no better one is to be expected."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from polyrank.errors import ConfigError
from polyrank.schema import Schema

from .config_sections import EarlyStoppingConfig
from .metrics import Metrics, find_metric


class Stopping:
    """Judges validations by one metric; without a configuration it never stops and keeps no weights."""

    def __init__(self, config: EarlyStoppingConfig | None, schema: Schema) -> None:
        """Prepare.

        Raises:
            ConfigError: the schema has no such metric.
        """
        self._config = config
        self.best_cost = math.inf
        self.weights: dict[str, Tensor] = {}
        self.num_worse = 0
        if config is not None:
            try:
                self._task, self._metric = find_metric(schema, config.metric)
            except ConfigError as err:
                raise ConfigError(f"$.early_stopping.metric: {err}") from err

    @property
    def is_due(self) -> bool:
        """Whether `patience` validations in a row were no better than the best."""
        return self._config is not None and self.num_worse >= self._config.patience

    def judge(self, metrics: Metrics, model: nn.Module) -> None:
        """Look at a validation, and keep the weights of the best one; an undefined metric is worse than any."""
        if self._config is None:
            return
        cost = self._metric.cost(metrics[self._task.name][self._metric.name])
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
