"""How losses are balanced, as written in TOML."""

import math
from typing import Literal, get_args

import msgspec

from polyrank.errors import ConfigError

Method = Literal["fixed", "uncertainty", "dwa", "gradnorm", "pcgrad", "cagrad", "upgrad", "mgda", "nash_mtl"]
METHODS: tuple[Method, ...] = get_args(Method)

FIRST_EPOCH_OF_DWA = 3
"""Two epochs have to end before there is a rate of descent."""


class BalancingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the tasks' losses, or their gradients, become one step; docs/training.md describes the methods.

    Attributes:
        method: what weighs the tasks.
        temperature: of `dwa`; the larger, the closer the weights are to one another.
        alpha: of `gradnorm`; how much more a task counts that lags behind, 0 for as much as any other.
        lr: of Adam, for what `uncertainty` and `gradnorm` learn: a log variance or a weight of each task.
        c: of `cagrad`, in [0, 1); how far the step may be from the mean gradient, 0 for the mean itself.
    """

    method: Method = "fixed"
    temperature: float = 2.0
    alpha: float = 1.5
    lr: float = 0.01
    c: float = 0.5

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        for field in ("temperature", "lr"):
            self._require(field, "above 0 and finite", holds=0.0 < getattr(self, field) < math.inf)
        self._require("alpha", "0 or above and finite", holds=0.0 <= self.alpha < math.inf)
        self._require("c", "in [0, 1)", holds=0.0 <= self.c < 1.0)

    def check_epochs(self, epochs: int) -> None:
        """Refuse a method that would not act in so few epochs.

        Raises:
            ConfigError: `dwa` in fewer than three.
        """
        if self.method == "dwa" and epochs < FIRST_EPOCH_OF_DWA:
            raise ConfigError(
                f"$.balancing.method = 'dwa' weighs tasks from epoch {FIRST_EPOCH_OF_DWA} on; $.epochs must be "
                f"{FIRST_EPOCH_OF_DWA} or above, got {epochs}"
            )

    def _require(self, field: str, limit: str, *, holds: bool) -> None:
        if not holds:
            raise ConfigError(f"$.balancing.{field} must be {limit}, got {getattr(self, field)}")
