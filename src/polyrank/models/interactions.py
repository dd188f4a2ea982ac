"""Products of features, before the layers or beside them."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .halves import Halves
from .layers import Linear


class CrossNetwork(nn.Module):
    """Cross layers of low rank: `x[l + 1] = x[0] * (U (V x[l]) + b) + x[l]`, of the same width as the input.

    Wang et al., DCN V2: Improved Deep & Cross Network, WWW 2021, section 3.5, equation 2.
    """

    def __init__(self, input_dim: int, num_layers: int, rank: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(Linear(input_dim, rank, bias=False) for _ in range(num_layers))
        self.widen = nn.ModuleList(nn.Linear(rank, input_dim) for _ in range(num_layers))

    def forward(self, inputs: Tensor | Halves) -> Tensor:
        """Cross (B, I) to (B, I)."""
        first = inputs.joined() if isinstance(inputs, Halves) else inputs
        outputs, read = first, inputs
        for narrow, widen in zip(self.narrow, self.widen, strict=True):
            outputs = read = first * widen(narrow(read)) + outputs
        return outputs


class FactorizationMachine(nn.Module):
    """Linear terms of all inputs, and products of the vectors of every two features, added up for each output.

    Rendle, Factorization Machines, ICDM 2010, equation 5, over the vectors that the layers read, as in Guo et al.,
    DeepFM, IJCAI 2017, section 2.1. Each output weighs the components of the products, from 1; features whose
    vectors are of different widths do not meet.

    Args:
        input_dim: I.
        fields: how many vectors lie one after another at the start of the inputs, and their width, for each width.
        num_outputs: R.
    """

    def __init__(self, input_dim: int, fields: Sequence[tuple[int, int]], num_outputs: int) -> None:
        super().__init__()
        starts = itertools.accumulate((count * dim for count, dim in fields), initial=0)
        # One vector alone has no other to meet.
        self.fields = [(start, *field) for start, field in zip(starts, fields, strict=False) if field[0] > 1]
        self.linear = Linear(input_dim, num_outputs, bias=False)
        self.weights = nn.ParameterList(nn.Parameter(torch.ones(num_outputs, dim)) for _, _, dim in self.fields)

    def forward(self, inputs: Tensor | Halves) -> Tensor:
        """Map (B, I) to (B, R)."""
        outputs: Tensor = self.linear(inputs)
        for (start, count, dim), weight in zip(self.fields, self.weights, strict=True):
            stop = start + count * dim
            parts = inputs.between(start, stop) if isinstance(inputs, Halves) else (inputs[:, start:stop],)
            groups = [part.reshape(part.shape[0], part.shape[1] // dim, dim) for part in parts if part.shape[1] > 0]
            products, total = _products(groups[0])
            for group in groups[1:]:
                others, sums = _products(group)
                products, total = products + others + total * sums, total + sums
            outputs = outputs + products @ weight.T
        return outputs


def _products(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of the products of every two of F vectors (B, F, D), component by component, and their sum.

    Groups of vectors are joined two by two: the products of two groups are those inside of each, and of their sums.
    Half of what the square of the sum has more than the squares is the same number, and loses all digits to one vector
    that is much longer than the others.
    """
    found = torch.zeros_like(vectors[:, 0])
    while vectors.shape[1] > 1:
        half = vectors.shape[1] // 2
        left, right, rest = vectors[:, :half], vectors[:, half : 2 * half], vectors[:, 2 * half :]
        found = found + (left * right).sum(1)
        vectors = torch.cat([left + right, rest], dim=1) if rest.shape[1] > 0 else left + right
    return found, vectors.squeeze(1)
