"""Vectors that arrive as they are, normalised and projected inside the model."""

import torch
from torch import Tensor, nn

from polyrank.features import VectorFeature

TINY = torch.finfo(torch.float32).tiny


class VectorBlock(nn.Module):
    """One vector feature: divided by its length and projected, where the feature says so, beside an indicator.

    A missing vector is zeros. The projection has no bias, so that it stays zeros.
    """

    def __init__(self, feature: VectorFeature) -> None:
        super().__init__()
        self.is_normalised = feature.l2_norm
        width = feature.projection
        self.projection = None if width is None else nn.Linear(feature.dim, width, bias=False)
        self.output_dim = 1 + (feature.dim if width is None else width)

    def forward(self, vectors: Tensor) -> Tensor:
        """Transform float32 (B, D), NaN where missing, to float32 (B, output_dim); the last is 1 where missing."""
        absent = vectors.isnan().any(dim=1, keepdim=True)  # (B, 1)
        vectors = torch.where(absent, 0.0, vectors)
        if self.is_normalised:
            vectors = _unit(vectors)
        if self.projection is not None:
            vectors = self.projection(vectors)
        return torch.cat([vectors, absent.to(vectors.dtype)], dim=1)


def _unit(vectors: Tensor) -> Tensor:
    """Divide by the Euclidean length, by the largest number first, whose square may be no 32-bit number."""
    scaled = vectors / vectors.abs().amax(dim=1, keepdim=True).clamp(min=TINY)
    return scaled / scaled.square().sum(dim=1, keepdim=True).sqrt().clamp(min=TINY)
