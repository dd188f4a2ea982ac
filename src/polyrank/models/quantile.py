"""Numbers to their rank among the training rows: a piecewise linear map, without a loop in the graph."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.features import NumericFeature

FLOAT_MAX = torch.finfo(torch.float32).max
MISSING_LEVEL = 0.5
"""The rank of the median."""


class QuantileMap(nn.Module):
    """Maps each knot to its level, and numbers between two knots in proportion; those beyond the ends stay there.

    `level[0] + sum over i of (level[i + 1] - level[i]) * clamp((x - knot[i]) / (knot[i + 1] - knot[i]), 0, 1)`.
    """

    starts: Tensor  # (K,)
    widths: Tensor  # (K,)
    steps: Tensor  # (K,)

    def __init__(self, feature: NumericFeature) -> None:
        super().__init__()
        knots, levels = feature.knots or (0.0, 1.0), feature.levels or (0.0, 1.0)
        if len(knots) == 1:
            knots, levels = (knots[0], FLOAT_MAX), (levels[0], levels[0])
        # As the 32-bit numbers that arrive: a width then is never 0.
        exact = torch.tensor(knots).double()
        self._constant("starts", knots[:-1])
        self._constant("widths", exact.diff().clamp(max=FLOAT_MAX).tolist())
        self._constant("steps", torch.tensor(levels, dtype=torch.float64).diff().tolist())
        self.base = levels[0]

    def forward(self, values: Tensor) -> Tensor:
        """Map float32 (B, 1), NaN where missing, to levels in [0, 1], float32 (B, 1)."""
        parts = ((values - self.starts) / self.widths).clamp(0.0, 1.0)  # (B, K)
        levels = self.base + (parts * self.steps).sum(1, keepdim=True)
        return torch.where(values.isnan(), MISSING_LEVEL, levels)

    def _constant(self, name: str, values: Sequence[float]) -> None:
        self.register_buffer(name, torch.tensor(values), persistent=False)
