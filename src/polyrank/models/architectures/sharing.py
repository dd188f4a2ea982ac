"""What every architecture is: rows in, one representation for each task out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.models.halves import Halves


class Architecture(nn.Module, ABC):
    """The layers between the inputs and the towers of the tasks.

    Attributes:
        output_dim: H, the width of what a tower reads.
    """

    output_dim: int

    def shared_parts(self) -> list[nn.Module]:
        """Return the layers that several tasks train; none where the tasks share no more than the embeddings.

        Layers of one task that another reads, as the tasks of a chain do, are not among them.
        """
        return []

    @abstractmethod
    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows.

        Args:
            inputs: float32 (B, I) each, or halves of them, as many as `num_inputs` says.

        Returns:
            float32 (B, T, H), or (B, H) where all tasks have the same.
        """


def mixed(experts: Tensor, weights: Tensor) -> Tensor:
    """Add up experts (B, E, H) by the weights of each task (B, T, E): (B, T, H)."""
    return torch.bmm(weights, experts)
