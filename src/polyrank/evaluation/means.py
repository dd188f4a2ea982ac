"""Whether the mean of answers is that of labels."""

import math
from collections.abc import Sequence
from typing import Literal

from .findings import CalibrationBin
from .results import TaskResult

CLOSE = 0.02
"""So far may the mean of answers be from that of labels, as a share of it, to be near."""


def compare_means(task: TaskResult, bins: Sequence[CalibrationBin]) -> Literal["near", "off", "unclear"]:
    """Say whether the mean answer of a task is near the mean label, off by more than chance too, or neither.

    Chance is that of the mean label: bins are of other rows each, so that the squares of what their means may be off by
    add up, each weighed by its share of the rows.

    Args:
        task: whose means they are.
        bins: of its calibration.
    """
    if task.mean_label is None or task.mean_answer is None:
        return "unclear"
    distance = abs(task.mean_answer - task.mean_label)
    if distance <= CLOSE * abs(task.mean_label):
        return "near"
    rows = sum(each.rows for each in bins)
    reach = math.hypot(*(each.rows * (each.interval[1] - each.interval[0]) / 2 for each in bins))
    return "off" if rows > 0 and distance > reach / rows else "unclear"
