"""Early stopping: the weights of the best validation, and when no better one is to be expected."""

from torch import Tensor, nn

from polyrank.errors import ConfigError
from polyrank.schema import Schema

from .config_sections import EarlyStoppingConfig
from .metrics import Metrics

LOWER_IS_BETTER = frozenset({"rmse", "rmsle"})


class Stopping:
    """Judges validations by one metric; without a configuration it never stops and keeps no weights."""

    def __init__(self, config: EarlyStoppingConfig | None, schema: Schema) -> None:
        """Prepare.

        Raises:
            ConfigError: the metric is not written as `task.metric`, or the schema has no such task.
        """
        self._config = config
        self.best_index: int | None = None
        self.best: float | None = None
        self.weights: dict[str, Tensor] = {}
        self.num_judged = 0
        if config is not None:
            self._task, self._metric = _named(config.metric, schema)

    @property
    def is_due(self) -> bool:
        """Whether `patience` validations in a row were no better than the best."""
        if self._config is None or self.best_index is None:
            return False
        return self.num_judged - 1 - self.best_index >= self._config.patience

    def judge(self, metrics: Metrics, model: nn.Module) -> None:
        """Look at a validation, and keep the weights of the best one; undefined metrics are no better than any."""
        if self._config is None:
            return
        found = metrics[self._task]
        if self._metric not in found:
            known = ", ".join(f"{self._task}.{name}" for name in found)
            raise ConfigError(f"$.early_stopping.metric must be one of {known}, got {self._config.metric!r}")
        value = -found[self._metric] if self._metric in LOWER_IS_BETTER else found[self._metric]
        if self.best is None or value > self.best:
            self.best, self.best_index = value, self.num_judged
            self.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.num_judged += 1

    def restore(self, model: nn.Module) -> None:
        """Give the model the weights of the best validation, if they were kept."""
        if self.weights:
            model.load_state_dict(self.weights)


def _named(metric: str, schema: Schema) -> tuple[str, str]:
    task, _, name = metric.partition(".")
    known = [task.name for task in schema.tasks]
    if not name or task not in known:
        raise ConfigError(
            f"$.early_stopping.metric must be task.metric, such as {known[0]}.auc, of the tasks {', '.join(known)}; "
            f"got {metric!r}"
        )
    return task, name
