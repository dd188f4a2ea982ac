"""ESMM: a network for each task over shared embeddings; the tasks of a chain are trained on all rows."""

from collections.abc import Sequence

from torch import Tensor

from polyrank.models.config import ModelConfig
from polyrank.models.halves import Halves
from polyrank.models.layers import GroupedMLP

from .sharing import Architecture


class EntireSpace(Architecture):
    """Networks that share the embeddings; what makes it ESMM is the product of their probabilities.

    Ma et al., Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click Conversion Rate, SIGIR
    2018, section 2.3. `polyrank.models.chain` has the product.
    """

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig) -> None:
        super().__init__()
        self.networks = GroupedMLP(
            num_tasks, input_dim, config.hidden_dims, shares_input=True, options=config.layer_options
        )
        self.output_dim = config.hidden_dims[-1]

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows: (B, I) to (B, T, H)."""
        outputs: Tensor = self.networks(inputs[0])
        return outputs
