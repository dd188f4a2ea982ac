"""Numbers to embedding vectors by way of buckets, in operators that export to ONNX as comparisons, a sum and Gather."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyrank.features import BucketizedFeature

from .embedding import INITIAL_STD


class BucketTable(nn.Module):
    """The embedding table of one bucketized feature.

    `row = 0 if missing else 1 + how many boundaries are not above the number`.
    """

    weight: nn.Parameter  # (K + 2, D)
    boundaries: Tensor  # (K,)

    def __init__(self, feature: BucketizedFeature) -> None:
        super().__init__()
        boundaries = torch.tensor(feature.boundaries or (), dtype=torch.float32)
        # A constant of the schema, not a weight: left out of the checkpoint.
        self.register_buffer("boundaries", boundaries, persistent=False)
        weight = torch.empty(len(boundaries) + 2, feature.embedding_dim or 0)
        self.weight = nn.Parameter(weight.normal_(std=INITIAL_STD))

    def forward(self, numbers: Tensor) -> Tensor:
        """Look up float32 (B,), NaN where missing: float32 (B, D)."""
        num_below = (numbers.unsqueeze(1) >= self.boundaries).sum(1)  # (B,)
        rows = torch.where(numbers.isnan(), 0, 1 + num_below)
        return functional.embedding(rows, self.weight, sparse=self.training)
