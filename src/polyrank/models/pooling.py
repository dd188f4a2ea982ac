"""Many vectors to one, under a mask: operators that export to ONNX, for an empty list too."""

import torch
from torch import Tensor

from polyrank.features import Pooling


def pool(vectors: Tensor, present: Tensor, pooling: Pooling) -> Tensor:
    """Pool the vectors of present values; zero where there are none.

    Args:
        vectors: float32 (B, L, D).
        present: bool (B, L).
        pooling: `sum`; `mean`: divided by how many there are; `sqrtn`: by the root of that; `max`: of each component.

    Returns:
        float32 (B, D).
    """
    if pooling == "max":
        return _maximum(vectors, present)
    weights = present.to(vectors.dtype)  # (B, L)
    total = (vectors * weights.unsqueeze(2)).sum(1)
    if pooling == "sum":
        return total
    norm = weights.sum(1, keepdim=True) if pooling == "mean" else weights.square().sum(1, keepdim=True).sqrt()
    return total / torch.where(norm > 0.0, norm, 1.0)


def _maximum(vectors: Tensor, present: Tensor) -> Tensor:
    lowest = torch.finfo(vectors.dtype).min
    largest = torch.where(present.unsqueeze(2), vectors, lowest).amax(1)
    return torch.where(present.any(1, keepdim=True), largest, 0.0)
