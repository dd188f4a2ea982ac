"""Did sharing help: models of all tasks against one model for each, or any runs against one another."""

from .costs import Answerer, Cost, costs_of, torch_answerer
from .differences import Change
from .plan import ONE_PER_TASK, ComparisonConfig
from .report import report_text
from .runs import compare_runs
from .trainings import Comparison, compare

__all__ = [
    "ONE_PER_TASK",
    "Answerer",
    "Change",
    "Comparison",
    "ComparisonConfig",
    "Cost",
    "compare",
    "compare_runs",
    "costs_of",
    "report_text",
    "torch_answerer",
]
