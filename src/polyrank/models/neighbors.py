"""A value to the pooled vectors of its neighbours, in operators that export to ONNX as two Gathers and the pooling."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from polyrank.errors import SchemaError
from polyrank.features import NeighborsFeature

from .pooling import pool


class NeighborTable(nn.Module):
    """Which rows of an embedding table are the neighbours of each; 0, "missing", where there are fewer.

    The rows are part of the checkpoint, and no parameter. Before training has fitted them, nothing has a neighbour.
    """

    rows: Tensor  # (R, K)

    def __init__(self, feature: NeighborsFeature, place: int, *, start: int, num_buckets: int) -> None:
        super().__init__()
        self.feature, self.place, self.start = feature, place, start
        self.register_buffer("rows", _no_neighbors(feature, num_buckets + 1))

    def forward(self, rows: Tensor, weight: Tensor, stand_ins: Tensor | None = None) -> Tensor:
        """Look up and pool.

        Args:
            rows: int64 (B,) of the fused table, in which the feature's begins at `start`.
            weight: float32 (R', D), the fused table.
            stand_ins: int64 (R',), the row that is looked up in place of each; None looks up itself.

        Returns:
            float32 (B, D), zero where there is no neighbour.
        """
        near = self.rows.index_select(0, rows - self.start).long()  # (B, K)
        places = near + self.start if stand_ins is None else stand_ins[near + self.start]
        vectors = functional.embedding(places, weight, sparse=self.training)  # (B, K, D)
        return pool(vectors, near > 0, self.feature.pooling)


def load_neighbors(model: nn.Module, tables: Mapping[str, NDArray[np.int32]]) -> None:
    """Hand over fitted tables [R, K] by feature, without a copy."""
    for module in model.modules():
        if isinstance(module, NeighborTable):
            module.rows = torch.from_numpy(tables[module.feature.name])


def _no_neighbors(feature: NeighborsFeature, num_rows: int) -> Tensor:
    try:
        return torch.zeros(num_rows, feature.k, dtype=torch.int32)
    except RuntimeError as err:
        size = num_rows * feature.k * torch.int32.itemsize / 2**30
        raise SchemaError(
            f"{feature.k} neighbours for each row of {feature.of!r} take {size:,.0f} GiB, more than this machine "
            f"gives; lower its num_buckets, or k (feature {feature.name!r})"
        ) from err
