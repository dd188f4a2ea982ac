"""MMoE: experts that all tasks share, and a gate for each task."""

from collections.abc import Sequence

from torch import Tensor, nn

from polyrank.models.config import ModelConfig
from polyrank.models.fused import can_gate, gated
from polyrank.models.halves import Halves
from polyrank.models.layers import FannedLinear, GroupedMLP

from .sharing import Architecture, mixed


class MultiGateMixtureOfExperts(Architecture):
    """Experts whose outputs each task adds up by weights that its gate gives.

    Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts, KDD 2018,
    section 4.2, equations 6 and 7.
    """

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig) -> None:
        super().__init__()
        self.experts = GroupedMLP(
            config.num_experts, input_dim, config.hidden_dims, shares_input=True, options=config.layer_options
        )
        self.gates = FannedLinear(num_tasks, input_dim, config.num_experts, bias=False)
        self.reads = [*range(config.num_experts)] * num_tasks
        self.output_dim = config.hidden_dims[-1]

    def shared_parts(self) -> list[nn.Module]:
        """Return the layers that several tasks train."""
        return [self.experts]

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows: (B, I) to (B, T, H)."""
        experts, gates = self.experts(inputs[0]), self.gates(inputs[0])
        return gated(gates, self.reads, experts) if can_gate(gates, experts) else mixed(experts, gates.softmax(2))
