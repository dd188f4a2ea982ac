"""PyTorch modules: embeddings, numbers, layers, heads, and the ranker they make. Needs the extra `train`."""

try:
    import torch as _torch  # noqa: F401 (only to say which extra brings it)
except ImportError as err:
    from polyrank.errors import MissingExtraError

    raise MissingExtraError("models need PyTorch; pip install 'polyrank[train]'") from err

from .config import ModelConfig
from .ranker import MultiTaskRanker
from .trained import TrainedRanker

__all__ = ["ModelConfig", "MultiTaskRanker", "TrainedRanker"]
