"""How good a model's answers are: for whom, where they are calibrated, how tasks trade off, what matters."""

from .results import Result as Result
