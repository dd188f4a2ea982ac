"""What is exported: a ranker that was trained here, or a module that was trained elsewhere."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch
from polyrank.models.answering_module import AnsweringModule
from polyrank.schema import Schema


class Subject(Protocol):
    """A model, with what its graph is proven by; `TrainedRanker` is one."""

    @property
    def schema(self) -> Schema:
        """What it eats and answers."""

    @property
    def model(self) -> AnsweringModule:
        """In evaluation mode, on the CPU."""

    @property
    def sample(self) -> Batch:
        """Encoded real rows."""

    @property
    def labels(self) -> NDArray[np.float32] | None:
        """Of the sample, float32 [n, T] in the order of tasks, NaN where unobserved; None where they are not known."""

    @property
    def run_id(self) -> str:
        """Content hash of schema and weights."""
