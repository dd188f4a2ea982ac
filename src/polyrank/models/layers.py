"""Feed-forward layers, of one network and of many at once."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from .fused import can_normalize, normalized
from .halves import Halves

Normalization = Literal["batch", "layer", "none"]


class LayerOptions(NamedTuple):
    """What follows each linear layer: normalisation, then the share of units that training drops."""

    normalization: Normalization = "none"
    dropout: float = 0.0


class Linear(nn.Linear):
    """`torch.nn.Linear`, of rows or of the halves of a request."""

    def forward(self, inputs: Tensor | Halves) -> Tensor:
        """Map (B, I) to (B, O)."""
        if isinstance(inputs, Halves):
            return inputs.linear(self.weight, self.bias)
        return super().forward(inputs)


class GroupedLinear(nn.Module):
    """As many linear layers as there are groups, in one batched matrix product: (B, G, I) to (B, G, O).

    Initial weights are those of `torch.nn.Linear`: uniform within one over the root of I.
    """

    def __init__(self, num_groups: int, input_dim: int, output_dim: int, *, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(input_dim)
        self.weight = nn.Parameter(torch.empty(num_groups, input_dim, output_dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_groups, 1, output_dim).uniform_(-bound, bound)) if bias else None

    def forward(self, inputs: Tensor | Halves) -> Tensor:
        """Multiply each group's rows by its own weight."""
        if isinstance(inputs, Halves):
            return inputs.grouped_linear(self.weight, self.bias).transpose(0, 1)
        rows = inputs.transpose(0, 1)  # (G, B, I)
        products = torch.bmm(rows, self.weight) if self.bias is None else torch.baddbmm(self.bias, rows, self.weight)
        return products.transpose(0, 1)


class FannedLinear(nn.Module):
    """As many linear layers as there are groups, all of the same rows, in one product: (B, I) to (B, G, O)."""

    def __init__(self, num_groups: int, input_dim: int, output_dim: int, *, bias: bool = True) -> None:
        super().__init__()
        self.num_groups, self.output_dim = num_groups, output_dim
        self.linear = Linear(input_dim, num_groups * output_dim, bias=bias)

    def forward(self, inputs: Tensor | Halves) -> Tensor:
        """Multiply the rows by the weight of each group."""
        outputs: Tensor = self.linear(inputs)
        return outputs.view(-1, self.num_groups, self.output_dim)


class GroupedNorm(nn.Module):
    """Normalises (B, G, H): each of G H units over the batch, or each group's units over themselves."""

    def __init__(self, num_groups: int, dim: int, kind: Literal["batch", "layer"]) -> None:
        super().__init__()
        self.over_batch = kind == "batch"
        self.norm = nn.BatchNorm1d(num_groups * dim) if self.over_batch else nn.LayerNorm(dim, elementwise_affine=False)
        if not self.over_batch:
            self.scale = nn.Parameter(torch.ones(num_groups, dim))
            self.shift = nn.Parameter(torch.zeros(num_groups, dim))

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise, then scale and shift each unit."""
        if self.over_batch:
            normalised: Tensor = self.norm(inputs.flatten(1)).view(-1, *inputs.shape[1:])
            return normalised
        return self.norm(inputs) * self.scale + self.shift  # type: ignore[no-any-return]


class Stack(nn.Sequential):
    """Layers one after another, of which a batch norm and the ReLU after it train as one step where they can."""

    def forward(self, inputs: Any) -> Any:
        """Run them all: of rows (B, I) or (B, G, I), or of the halves of a request."""
        layers = list(self)
        while layers:
            layer = layers.pop(0)
            norm = layer.norm if isinstance(layer, GroupedNorm) else layer
            if layers and isinstance(layers[0], nn.ReLU) and can_normalize(norm, inputs):
                layers.pop(0)
                inputs = normalized(norm, inputs)
            else:
                inputs = layer(inputs)
        return inputs


class GroupedMLP(nn.Module):
    """Networks of the same shape side by side, such as experts: (B, I) or (B, G, I) to (B, G, H).

    Each layer is linear, normalised over the batch or its own units (if asked), ReLU and dropout (if any).

    Args:
        num_groups: how many networks.
        input_dim: I.
        hidden_dims: widths of the layers, at least one.
        shares_input: all networks read the same rows (B, I).
        options: normalisation and dropout.
    """

    def __init__(
        self,
        num_groups: int,
        input_dim: int,
        hidden_dims: Sequence[int],
        *,
        shares_input: bool,
        options: LayerOptions,
    ) -> None:
        super().__init__()
        self.output_dim = hidden_dims[-1]
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(itertools.pairwise((input_dim, *hidden_dims))):
            kind = FannedLinear if shares_input and index == 0 else GroupedLinear
            layers.append(kind(num_groups, before, after, bias=options.normalization == "none"))
            if options.normalization != "none":
                layers.append(GroupedNorm(num_groups, after, options.normalization))
            layers.append(nn.ReLU())
            if options.dropout > 0.0:
                layers.append(nn.Dropout(options.dropout))
        self.layers = Stack(*layers)

    def forward(self, inputs: Tensor | Halves) -> Tensor:
        """Run every network on its rows."""
        outputs: Tensor = self.layers(inputs)
        return outputs


def mlp(input_dim: int, hidden_dims: Sequence[int], options: LayerOptions) -> Stack:
    """Stack linear layers, each followed by normalisation (if asked), ReLU and dropout (if any)."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise((input_dim, *hidden_dims)):
        layers.append(Linear(before, after, bias=options.normalization == "none"))
        if options.normalization != "none":
            layers.append(nn.BatchNorm1d(after) if options.normalization == "batch" else nn.LayerNorm(after))
        layers.append(nn.ReLU())
        if options.dropout > 0.0:
            layers.append(nn.Dropout(options.dropout))
    return Stack(*layers)
