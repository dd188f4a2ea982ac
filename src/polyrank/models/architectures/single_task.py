"""Single task: models that share nothing, in one graph, to compare with."""

from collections.abc import Sequence

from torch import Tensor

from polyrank.models.config import ModelConfig
from polyrank.models.halves import Halves, stacked
from polyrank.models.layers import GroupedMLP

from .sharing import Architecture


class SingleTask(Architecture):
    """A network for each task, over embedding tables of its own."""

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig) -> None:
        super().__init__()
        self.networks = GroupedMLP(
            num_tasks, input_dim, config.hidden_dims, shares_input=False, options=config.layer_options
        )
        self.output_dim = config.hidden_dims[-1]

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows: (B, I) of each task to (B, T, H)."""
        outputs: Tensor = self.networks(stacked(inputs))
        return outputs
