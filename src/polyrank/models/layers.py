"""Feed-forward layers."""

import itertools
from collections.abc import Sequence

from torch import nn


def mlp(input_dim: int, hidden_dims: Sequence[int], *, batch_norm: bool, dropout: float) -> nn.Sequential:
    """Stack linear layers, each followed by batch normalisation (if asked), ReLU and dropout (if any)."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise((input_dim, *hidden_dims)):
        layers.append(nn.Linear(before, after, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm1d(after))
        layers.append(nn.ReLU())
        if dropout > 0.0:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
