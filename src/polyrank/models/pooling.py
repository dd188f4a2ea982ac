"""Many vectors to one, under a mask: operators that export to ONNX, for an empty list too."""

import torch
from torch import Tensor

from polyrank.features import Pooling


def pool(vectors: Tensor, present: Tensor, pooling: Pooling, weights: Tensor | None = None) -> Tensor:
    """Pool the vectors of present values; zero where there are none.

    Args:
        vectors: float32 (B, L, D).
        present: bool (B, L).
        pooling: `sum`, of w v; `mean`: that divided by the sum of w; `sqrtn`: by the root of the sum of w²; `max`, of
            each component, whatever the weights.
        weights: w, float32 (B, L); None counts each value once. A value of negative weight does not count in `mean`
            and `sqrtn`, as in TensorFlow's `safe_embedding_lookup_sparse`.

    Returns:
        float32 (B, D).
    """
    if pooling == "max":
        return _maximum(vectors, present)
    counts = present.float() if weights is None else torch.where(present, weights, 0.0)
    if weights is not None and pooling != "sum":
        counts = counts.clamp(min=0.0)
    total = torch.bmm(counts.unsqueeze(1).to(vectors.dtype), vectors).squeeze(1)
    if pooling == "sum":
        return total
    norm = counts.sum(1) if pooling == "mean" else counts.square().sum(1).sqrt()
    return total / torch.where(norm > 0.0, norm, 1.0).unsqueeze(1)


def _maximum(vectors: Tensor, present: Tensor) -> Tensor:
    lowest = torch.finfo(vectors.dtype).min
    largest = torch.where(present.unsqueeze(2), vectors, lowest).amax(1)
    return torch.where(present.any(1, keepdim=True), largest, 0.0)
