"""PyTorch modules: embeddings, numbers, layers, heads, and the ranker they make. Needs the extra `train`."""

try:
    import safetensors as _safetensors  # noqa: F401 (only to say which extra brings them)
    import torch as _torch  # noqa: F401
except ImportError as err:
    from polyrank.errors import MissingExtraError

    raise MissingExtraError("models need PyTorch and safetensors; pip install 'polyrank[train]'") from err

from .config import ModelConfig
from .module_ranker import RankerModule
from .ranker import MultiTaskRanker
from .trained import TrainedRanker

__all__ = ["ModelConfig", "MultiTaskRanker", "RankerModule", "TrainedRanker"]
