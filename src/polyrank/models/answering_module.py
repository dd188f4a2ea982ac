"""What every model here can be asked, wherever it was trained."""

import abc

from torch import Tensor, nn


class AnsweringModule(nn.Module, abc.ABC):
    """A module that answers the tasks of a schema.

    Attributes:
        network: the part whose weights are multiplied: the rest looks up and transforms.
    """

    network: nn.Module

    @abc.abstractmethod
    def answers(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return each task's answer in label units, float32 (B, num_answers): a probability for a binary task."""

    @abc.abstractmethod
    def outputs(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return what is served, float32 (B, columns) by output: answers, and the probabilities of ordinal levels."""
