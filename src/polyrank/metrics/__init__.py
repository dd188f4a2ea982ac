"""Metrics of answers against labels, by task; docs/training.md says what each is."""

from .comparison import Difference, difference_intervals
from .evaluation import Evaluation, Metrics, evaluate, headline
from .intervals import Bootstrap, Interval
from .registry import Metric, find_metric, joint_cost, metric_names

__all__ = [
    "Bootstrap",
    "Difference",
    "Evaluation",
    "Interval",
    "Metric",
    "Metrics",
    "difference_intervals",
    "evaluate",
    "find_metric",
    "headline",
    "joint_cost",
    "metric_names",
]
