"""Learning rates over the steps of a training."""

import math

from .config_sections import OptimizerConfig


def rate_at(step: int, num_steps: int, config: OptimizerConfig) -> float:
    """Return what the learning rates are multiplied with in a step, counted from 0: in (0, 1] during the warm-up.

    Args:
        step: of the whole training.
        num_steps: of the whole training.
        config: warm-up and schedule.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return 1.0
    done = (step - config.warmup_steps) / max(num_steps - config.warmup_steps, 1)
    return (1 + math.cos(math.pi * min(done, 1.0))) / 2
