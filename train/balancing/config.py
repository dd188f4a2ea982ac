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

    @property
    def takes_tasks_apart(self) -> bool:
        """Whether a step has a backward pass for each task."""
        return self.method not in ("fixed", "uncertainty", "dwa")

    def check(self, *, epochs: int, compiles: bool) -> None:
        """Refuse a method that does not go with the rest of the training.

        Raises:
            ConfigError: `dwa` in fewer than three epochs, in which it would not act, or compiled layers under a method
                that takes tasks apart: they have one backward pass, for all.
        """
        if self.method == "dwa" and epochs < FIRST_EPOCH_OF_DWA:
            raise ConfigError(
                f"$.balancing.method = 'dwa' weighs tasks from epoch {FIRST_EPOCH_OF_DWA} on; $.epochs must be "
                f"{FIRST_EPOCH_OF_DWA} or above, got {epochs}"
            )
        if compiles and self.takes_tasks_apart:
            raise ConfigError(
                f"$.compile = true goes with one backward pass a step, and $.balancing.method = {self.method!r} takes "
                f"one for each task; leave compile out"
            )

    def _require(self, field: str, limit: str, *, holds: bool) -> None:
        if not holds:
            raise ConfigError(f"$.balancing.{field} must be {limit}, got {getattr(self, field)}")
