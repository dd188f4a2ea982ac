"""Metrics of answers against labels, by task; docs/training.md says what each is."""

from .evaluation import Evaluation, Metrics, evaluate, headline
from .intervals import Bootstrap, Interval
from .registry import Metric, find_metric, metric_names

__all__ = [
    "Bootstrap",
    "Evaluation",
    "Interval",
    "Metric",
    "Metrics",
    "evaluate",
    "find_metric",
    "headline",
    "metric_names",
]
