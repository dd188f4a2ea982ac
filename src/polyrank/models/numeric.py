"""Raw numbers to normalised inputs, inside the model, so that a client sends them as they are."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.features import NumericFeature

from .quantile import QuantileMap


class NumericBlock(nn.Module):
    """Applies clip, log1p and a scaling, and replaces a missing value by the mean beside an indicator.

    Statistics come from the features, where training has written them; one without them counts as mean 0, std 1,
    minimum 0 and maximum 1. Nothing in it is learned.
    """

    uses_log1p: Tensor  # (1, D)
    lowest: Tensor  # (1, D)
    highest: Tensor  # (1, D)
    mean: Tensor  # (1, D)
    shift: Tensor  # (1, D)
    scale: Tensor  # (1, D)
    floor: Tensor  # (1, D)
    ceiling: Tensor  # (1, D)
    order: Tensor  # (D,)

    def __init__(self, features: Sequence[NumericFeature]) -> None:
        super().__init__()
        limits = [(-math.inf, math.inf) if feature.clip is None else feature.clip for feature in features]
        scalings = [_scaling(feature) for feature in features]
        bounded = ["minmax" in feature.transform for feature in features]
        self._constant("uses_log1p", ["log1p" in feature.transform for feature in features])
        self._constant("lowest", [low for low, _ in limits])
        self._constant("highest", [high for _, high in limits])
        self._constant("mean", [0.0 if feature.mean is None else feature.mean for feature in features])
        self._constant("shift", [shift for shift, _ in scalings])
        self._constant("scale", [scale for _, scale in scalings])
        self._constant("floor", [0.0 if is_bounded else -math.inf for is_bounded in bounded])
        self._constant("ceiling", [1.0 if is_bounded else math.inf for is_bounded in bounded])
        self.logs = any("log1p" in feature.transform for feature in features)
        self.clips = any(feature.clip is not None for feature in features)
        self.bounds = any(bounded)
        self.ranked = [index for index, feature in enumerate(features) if "quantile" in feature.transform]
        self.maps = nn.ModuleList(QuantileMap(features[index]) for index in self.ranked)
        order = list(range(len(features)))
        for place, index in enumerate(self.ranked):
            order[index] = len(features) + place
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.output_dim = 2 * len(features)

    def forward(self, dense: Tensor) -> Tensor:
        """Normalise.

        Args:
            dense: float32 (B, D), NaN where missing.

        Returns:
            float32 (B, 2 D): normalised values, then 1 where the value was missing.
        """
        absent = dense.isnan()
        clipped = dense.maximum(self.lowest).minimum(self.highest) if self.clips else dense
        # A foreign client may send what our encoder refuses; 0 is then the nearest number that log1p takes.
        logged = torch.where(self.uses_log1p, torch.log1p(clipped.clamp(min=0.0)), clipped) if self.logs else clipped
        scaled = (torch.where(absent, self.mean, logged) - self.shift) / self.scale
        if self.bounds:
            scaled = scaled.maximum(self.floor).minimum(self.ceiling)
        if self.ranked:
            ranks = [level(clipped[:, index : index + 1]) for index, level in zip(self.ranked, self.maps, strict=True)]
            scaled = torch.cat([scaled, *ranks], dim=1).index_select(1, self.order)  # (B, D)
        return torch.cat([scaled, absent.to(dense.dtype)], dim=1)

    def _constant(self, name: str, values: Sequence[float]) -> None:
        """Keep constants of the schema: they are no weights, and so left out of the checkpoint."""
        # Of two dimensions, since ONNX Runtime takes twice the time for a constant of fewer than its partner has.
        self.register_buffer(name, torch.tensor(values).unsqueeze(0), persistent=False)


def _scaling(feature: NumericFeature) -> tuple[float, float]:
    """Return what to subtract from a number, and what to divide it by then."""
    if "standardize" in feature.transform:
        return 0.0 if feature.mean is None else feature.mean, 1.0 if feature.std is None else feature.std
    if "minmax" in feature.transform and feature.minimum is not None and feature.maximum is not None:
        return feature.minimum, (feature.maximum - feature.minimum) or 1.0
    return 0.0, 1.0
