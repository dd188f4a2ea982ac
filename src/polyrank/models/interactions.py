"""Products of features, before the layers or beside them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class CrossNetwork(nn.Module):
    """Cross layers of low rank: `x[l + 1] = x[0] * (U (V x[l]) + b) + x[l]`, of the same width as the input.

    Wang et al., DCN V2: Improved Deep & Cross Network, WWW 2021, section 3.5, equation 2.
    """

    def __init__(self, input_dim: int, num_layers: int, rank: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(nn.Linear(input_dim, rank, bias=False) for _ in range(num_layers))
        self.widen = nn.ModuleList(nn.Linear(rank, input_dim) for _ in range(num_layers))

    def forward(self, inputs: Tensor) -> Tensor:
        """Cross (B, I) to (B, I)."""
        outputs = inputs
        for narrow, widen in zip(self.narrow, self.widen, strict=True):
            outputs = inputs * widen(narrow(outputs)) + outputs
        return outputs


class FactorizationMachine(nn.Module):
    """Linear terms of all inputs, and products of the vectors of every two features, added up for each logit.

    Rendle, Factorization Machines, ICDM 2010, equation 5, over the vectors that the layers read, as in Guo et al.,
    DeepFM, IJCAI 2017, section 2.1. Each logit weighs the components of the products, from 1; features whose
    vectors are of different widths do not meet.

    Args:
        input_dim: I.
        fields: how many vectors lie one after another at the start of the inputs, and their width, for each width.
        num_logits: O.
    """

    def __init__(self, input_dim: int, fields: Sequence[tuple[int, int]], num_logits: int) -> None:
        super().__init__()
        self.fields = tuple(fields)
        self.linear = nn.Linear(input_dim, num_logits)
        self.weights = nn.ParameterList(nn.Parameter(torch.ones(num_logits, dim)) for _, dim in self.fields)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, I) to (B, O)."""
        logits: Tensor = self.linear(inputs)
        start = 0
        for (count, dim), weight in zip(self.fields, self.weights, strict=True):
            vectors = inputs[:, start : start + count * dim].reshape(-1, count, dim)  # (B, F, D)
            products = (vectors.sum(1).square() - vectors.square().sum(1)) / 2  # (B, D)
            logits = logits + products @ weight.T
            start += count * dim
        return logits
