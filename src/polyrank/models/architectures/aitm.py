"""AITM: each task of a chain attends to what the one before it found."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.models.config import ModelConfig
from polyrank.models.halves import Halves
from polyrank.models.layers import GroupedMLP

from .sharing import Architecture


class AdaptiveInformationTransfer(Architecture):
    """Networks over shared embeddings, and along the chain a transfer from each task to the next.

    Xi et al., Modeling the Sequential Dependence among Audience Multi-step Conversions with Multi-task Learning in
    Targeted Display Advertising, KDD 2021, section 3.3, equations 4 to 7.

    Args:
        input_dim: I.
        num_tasks: T.
        config: sizes.
        chain: positions of the tasks that follow one another.
    """

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig, chain: Sequence[int]) -> None:
        super().__init__()
        self.networks = GroupedMLP(
            num_tasks, input_dim, config.hidden_dims, shares_input=True, options=config.layer_options
        )
        self.chain = tuple(chain)
        self.output_dim = config.hidden_dims[-1]
        self.transfers = nn.ModuleList(Transfer(self.output_dim) for _ in self.chain[1:])

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows: (B, I) to (B, T, H)."""
        found = list(self.networks(inputs[0]).unbind(1))
        for transfer, before, after in zip(self.transfers, self.chain[:-1], self.chain[1:], strict=True):
            found[after] = transfer(found[before], found[after])
        return torch.stack(found, dim=1)


class Transfer(nn.Module):
    """Attention over two vectors: what the task before passes on, and the task's own."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.passed_on = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())
        self.value, self.key, self.query = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.scale = 1 / math.sqrt(dim)

    def forward(self, before: Tensor, own: Tensor) -> Tensor:
        """Mix (B, H) and (B, H) to (B, H)."""
        both = torch.stack([self.passed_on(before), own], dim=1)  # (B, 2, H)
        strength = (self.key(both) * self.query(both)).sum(2, keepdim=True) * self.scale  # (B, 2, 1)
        mixed: Tensor = (strength.softmax(1) * self.value(both)).sum(1)
        return mixed
