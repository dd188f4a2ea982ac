"""STEM: embedding tables for each task beside shared ones."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.models.config import ModelConfig
from polyrank.models.halves import Halves, repeated, stacked
from polyrank.models.layers import GroupedLinear, GroupedMLP

from .sharing import Architecture, mixed


class SharedAndTaskEmbeddings(Architecture):
    """Experts over the embeddings of each task and over shared ones; a task reads all, and trains its own and shared.

    Su et al., STEM: Unleashing the Power of Embeddings for Multi-task Recommendation, AAAI 2024, section "All Forward
    Task-specific Backward Gating Network".
    """

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig) -> None:
        super().__init__()
        self.num_tasks, count = num_tasks, config.num_experts
        dims, options = config.hidden_dims, config.layer_options
        self.task_experts = GroupedMLP(num_tasks * count, input_dim, dims, shares_input=False, options=options)
        self.shared_experts = GroupedMLP(count, input_dim, dims, shares_input=True, options=options)
        self.gates = GroupedLinear(num_tasks, input_dim, (num_tasks + 1) * count, bias=False)
        self.count = count
        self.output_dim = config.hidden_dims[-1]
        own = torch.eye(num_tasks).repeat_interleave(count, dim=1)  # (T, T * count)
        self.register_buffer("is_own", own, persistent=False)

    is_own: Tensor  # (T, T * count)

    def shared_parts(self) -> list[nn.Module]:
        """Return the layers that several tasks train."""
        return [self.shared_experts]

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows: (B, I) of each task, and shared last, to (B, T, H)."""
        of_tasks = stacked(inputs[:-1])  # (B, T, I)
        experts = self.task_experts(repeated(of_tasks, self.count))  # (B, T * count, H)
        gates = self.gates(of_tasks).softmax(2)  # (B, T, (T + 1) * count)
        of_experts, of_shared = torch.split(gates, [self.num_tasks * self.count, self.count], dim=2)
        own, others = of_experts * self.is_own, of_experts * (1 - self.is_own)
        return mixed(experts, own) + mixed(experts.detach(), others) + mixed(self.shared_experts(inputs[-1]), of_shared)
