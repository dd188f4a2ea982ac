"""Batch norm as a part of the linear layer before it: what a model that no longer trains needs not compute."""

import copy

import torch
from torch import Tensor, nn

from .layers import FannedLinear, GroupedLinear, GroupedNorm
from .ranker import MultiTaskRanker


def folded(model: MultiTaskRanker) -> MultiTaskRanker:
    """Return the model with batch norm folded into its layers; tables are shared with `model`, which stays as it is.

    `s (W x - m) + t = (s W) x + (t - s m)`, with the statistics of training; answers differ by rounding.
    """
    found = copy.copy(model)
    found._modules = dict(model._modules)  # noqa: SLF001 (a shallow copy would share them)
    found.network = copy.deepcopy(model.network)
    with torch.no_grad():
        for module in found.network.modules():
            if isinstance(module, nn.Sequential):
                _fold(module)
    return found.eval()


def _fold(layers: nn.Sequential) -> None:
    for index in range(1, len(layers)):
        norm = layers[index]
        norm = norm.norm if isinstance(norm, GroupedNorm) else norm
        if isinstance(norm, nn.BatchNorm1d):
            variance, mean = norm.running_var, norm.running_mean
            assert variance is not None and mean is not None  # noqa: S101, PT018 (tells the type checker)
            scale = norm.weight / torch.sqrt(variance + norm.eps)
            _scale(layers[index - 1], scale, norm.bias - mean * scale)
            layers[index] = nn.Identity()


def _scale(layer: nn.Module, scale: Tensor, shift: Tensor) -> None:
    """Scale and shift each output of a linear layer, which has no bias of its own, since batch norm follows."""
    if isinstance(layer, GroupedLinear):
        layer.weight.mul_(scale.view(layer.weight.shape[0], 1, -1))
        layer.bias = nn.Parameter(shift.view(layer.weight.shape[0], 1, -1))
        return
    linear = layer.linear if isinstance(layer, FannedLinear) else layer
    assert isinstance(linear, nn.Linear)  # noqa: S101 (tells the type checker)
    linear.weight.mul_(scale.unsqueeze(1))
    linear.bias = nn.Parameter(shift)
