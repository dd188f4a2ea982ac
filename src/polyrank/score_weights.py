"""Weights of tasks in the one score that items are ordered by."""

from collections.abc import Mapping, Sequence

from polyrank.arguments import instance, is_number, shown
from polyrank.errors import ConfigError
from polyrank.spelling import suggestion

LARGEST = 1e30
"""So that a score, a sum in 32 bits, is finite."""


def score_weights(model: str, names: Sequence[str], weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weight of each task with one answer: 0 of those left out, and 1 of all by default.

    Args:
        model: its name, for messages.
        names: of its tasks with one answer.
        weights: by task.

    Raises:
        ConfigError: a name is no such task, a weight is no number within the limits, or all are 0.
    """
    if weights is None:
        return dict.fromkeys(names, 1.0)
    instance("weights", weights, Mapping, "a dict of numbers by task")
    for name, weight in weights.items():
        if name not in names:
            raise ConfigError(
                f"weights names {name!r}, which is no task of model {model!r} with one answer: "
                f"{', '.join(names) or 'it has none'}{suggestion(str(name), names)}"
            )
        if not is_number(weight) or not abs(weight) <= LARGEST:
            limits = f"-{LARGEST:g} to {LARGEST:g}"
            raise ConfigError(f"weights[{name!r}] must be a number from {limits}, got {shown(weight)}")
    if not any(weights.values()):
        raise ConfigError("weights must hold a number other than 0, or every item scores the same")
    return {name: float(weights.get(name, 0.0)) for name in names}
