"""Shared bottom: the same layers for all tasks."""

from collections.abc import Sequence

from torch import Tensor, nn

from polyrank.models.config import ModelConfig
from polyrank.models.halves import Halves
from polyrank.models.layers import mlp

from .sharing import Architecture


class SharedBottom(Architecture):
    """One network that all tasks share; they differ in their towers.

    Caruana, Multitask Learning, Machine Learning 28, 1997.
    """

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig) -> None:  # noqa: ARG002 (alike for all)
        super().__init__()
        self.bottom = mlp(input_dim, config.hidden_dims, config.layer_options)
        self.output_dim = config.hidden_dims[-1]

    def shared_parts(self) -> list[nn.Module]:
        """Return the layers that several tasks train."""
        return [self.bottom]

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows: (B, I) to (B, H)."""
        outputs: Tensor = self.bottom(inputs[0])
        return outputs
