"""A trained ranker with fewer operations to a row: what training needs apart, and inference does not, is one layer."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import FannedLinear, GroupedLinear, GroupedNorm, Linear
from .ranker import MultiTaskRanker, Network
from .towers import Towers


def for_inference(ranker: MultiTaskRanker) -> MultiTaskRanker:
    """Return a ranker of the same answers, up to rounding, that shares the embedding tables.

    Batch norm, which in evaluation scales and shifts each unit, is part of the layer before it; the outputs of all
    towers are one layer, which adds the baseline's bias.
    """
    made = copy.copy(ranker)
    made._modules = dict(ranker._modules)  # noqa: SLF001 (a copy shares the dictionary)
    made.network = fold_batch_norms(copy.deepcopy(ranker.network))
    if isinstance(made.network.towers, Towers) and FlatTowers.takes(made.network.towers):
        made.network.towers = FlatTowers(made.network)
        made.network.baseline.adds_bias = False
    return made


def fold_batch_norms(network: Network) -> Network:
    """Make each batch norm a part of the layer before it, in place."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for place in range(1, len(module)):
                layer, norm = module[place - 1], module[place]
                if isinstance(norm, GroupedNorm) and norm.over_batch:
                    norm = norm.norm
                if isinstance(norm, nn.BatchNorm1d) and _fold(layer, norm):
                    module[place] = nn.Identity()
    return network


class FlatTowers(nn.Module):
    """Towers of tasks with one output each, over one representation: their outputs are one layer.

    Not where each task has its own, since numbers of one task that overflow make answers of the others that are no
    numbers in a layer of all. Over one representation so do those of the hidden layers of one tower.

    Args:
        network: of a ranker; its towers are taken over, and the bias of its baseline.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        towers = network.towers
        assert isinstance(towers, Towers)  # noqa: S101 (these tell the type checker)
        assert towers.hidden is not None  # noqa: S101
        self.hidden = towers.hidden
        weight: Tensor = towers.output.weight  # (T, H)
        self.output = nn.Linear(weight.numel(), len(weight))
        with torch.no_grad():
            self.output.weight.copy_(torch.block_diag(*weight))  # type: ignore[no-untyped-call]
            self.output.bias.copy_(network.baseline.bias)

    @staticmethod
    def takes(towers: Towers) -> bool:
        """Say whether towers are such."""
        return towers.hidden is not None and towers.is_common and len(towers.output.weight) == len(towers.widths)

    def forward(self, representation: Tensor) -> Tensor:
        """Give the outputs of all tasks side by side: (B, H) to (B, T)."""
        return self.output(self._hidden(representation).flatten(1))  # type: ignore[no-any-return]

    def _hidden(self, representation: Tensor) -> Tensor:
        first, *rest = self.hidden.layers
        if isinstance(first, FannedLinear) and all(
            isinstance(each, nn.Identity | nn.ReLU | nn.Dropout) for each in rest
        ):
            return functional.relu(first.linear(representation))
        return self.hidden(representation)  # type: ignore[no-any-return]


def _fold(layer: nn.Module, norm: nn.BatchNorm1d) -> bool:
    """Scale and shift the outputs of a layer as a batch norm does; say whether it is a layer that can."""
    scale, shift = _scale_and_shift(norm)
    if isinstance(layer, FannedLinear):
        layer = layer.linear
    if isinstance(layer, Linear):
        by_weight = scale.unsqueeze(1)
    elif isinstance(layer, GroupedLinear):
        by_weight = scale = scale.view(layer.weight.shape[0], 1, -1)
        shift = shift.view_as(scale)
    else:
        return False
    bias: Tensor | None = layer.bias
    layer.weight = nn.Parameter((layer.weight * by_weight).detach())
    layer.bias = nn.Parameter((shift if bias is None else bias * scale + shift).detach())
    return True


def _scale_and_shift(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None  # noqa: S101 (these tell the type checker)
    assert norm.running_var is not None  # noqa: S101
    # In 64 bits, since what is scaled by it is rounded once then.
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale.float(), (norm.bias.double() - norm.running_mean.double() * scale).float()
