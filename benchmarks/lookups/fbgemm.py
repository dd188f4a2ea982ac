"""fbgemm's table with its row-wise Adagrad fused into the backward pass, if `fbgemm-gpu-cpu` is installed.

Each of its releases needs one release of PyTorch: `pip install --no-deps fbgemm-gpu-cpu==1.8.0` beside PyTorch 2.13.
"""

from collections.abc import Callable, Mapping

import torch

from .batches import Work
from .pytorch import EPSILON, LR

FBGEMM = "fbgemm's table"
EXAMPLES = 1024
_Contender = tuple[Mapping[str, Callable[[], object]], Mapping[str, str]]


def fbgemm_step(work: Work) -> _Contender:
    """Return the contender: a lookup and its backward pass, called through autograd; or why there is none.

    In the form of it that is fastest: a feature for each row of an example, and no check of the rows.
    """
    try:
        import fbgemm_gpu  # noqa: F401 (registers the operators)
        from fbgemm_gpu.split_embedding_configs import EmbOptimType
        from fbgemm_gpu.split_table_batched_embeddings_ops_common import BoundsCheckMode, EmbeddingLocation
        from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
            ComputeDevice,
            SplitTableBatchedEmbeddingBagsCodegen,
        )
    except ImportError as err:
        return {}, {FBGEMM: str(err)}
    features = len(work.gradient) // EXAMPLES
    table = SplitTableBatchedEmbeddingBagsCodegen(
        [(work.num_rows, work.dim, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD,
        learning_rate=LR,
        eps=EPSILON,
        feature_table_map=[0] * features,
        bounds_check_mode=BoundsCheckMode.NONE,
    )
    table.init_embedding_weights_uniform(-0.01, 0.01)
    rows, gradient = work.in_turns(torch.from_numpy), torch.from_numpy(work.gradient).view(EXAMPLES, -1)
    ends = torch.arange(len(work.gradient) + 1)  # bags of one value
    return {FBGEMM: lambda: table(next(rows), ends).backward(gradient)}, {}
