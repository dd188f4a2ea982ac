"""Tables of a run into TorchRec, sharded by rows over CPU ranks, a step there, and back: docs/sharded-tables.md.

Needs torchrec and fbgemm-gpu-cpu of the versions that go with the installed torch, which no extra brings:

torchrun --nproc-per-node 2 benchmarks/torchrec_tables.py RUN
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from fbgemm_gpu.split_embedding_configs import EmbOptimType
from torch import Tensor, nn
from torch.distributed._shard.sharded_tensor import ShardedTensor
from torchrec import EmbeddingBagCollection, EmbeddingBagConfig, KeyedJaggedTensor, PoolingType
from torchrec.distributed import DistributedModelParallel
from torchrec.distributed.embedding_types import EmbeddingComputeKernel
from torchrec.distributed.embeddingbag import EmbeddingBagCollectionSharder
from torchrec.distributed.sharding_plan import construct_module_sharding_plan, row_wise
from torchrec.distributed.types import ShardingPlan

from polyrank.models import TrainedRanker
from polyrank.models.embedding import FusedTable
from polyrank.models.trained import tensors
from polyrank.train.balancing.adam import EPSILON
from polyrank.train.optimizers import RowGradient, RowwiseAdagrad

LR = 0.05
KEY = "0.embedding_bags.table.weight"


def spans_of(table: FusedTable) -> dict[str, tuple[int, int]]:
    """Return where the slots of each feature begin and end among those of a table, in the order of its vectors."""
    ends = torch.tensor(table.widths).cumsum(0).tolist()
    names = [slots.feature.name for slots in table.layout]
    return {name: (end - width, end) for name, width, end in zip(names, table.widths, ends, strict=True)}


def lookup_of(table: FusedTable, ids: Tensor, weights: Tensor | None) -> KeyedJaggedTensor:
    """Return ids (B, S) as what TorchRec looks up: rows, and what each row's vector is multiplied with."""
    rows, present = table.rows_of(ids)
    factors = table._factors(present, weights)  # noqa: SLF001 (pooling as a sum)
    factors = torch.ones(rows.shape) if factors is None else factors
    spans = spans_of(table)
    return KeyedJaggedTensor(
        keys=list(spans),
        values=torch.cat([rows[:, start:stop].flatten() for start, stop in spans.values()]),
        weights=torch.cat([factors[:, start:stop].flatten() for start, stop in spans.values()]),
        lengths=torch.cat([torch.full((len(ids),), stop - start) for start, stop in spans.values()]),
    )


def sharded(table: FusedTable) -> DistributedModelParallel:
    """Return a table whose rows are dealt out over all ranks, with row-wise Adagrad fused into its backward pass."""
    num_rows, dim = table.weight.shape
    config = EmbeddingBagConfig(
        name="table",
        num_embeddings=num_rows,
        embedding_dim=dim,
        feature_names=list(spans_of(table)),
        pooling=PoolingType.SUM,
    )
    collection = EmbeddingBagCollection(tables=[config], is_weighted=True, device=torch.device("meta"))
    sharder = EmbeddingBagCollectionSharder(
        fused_params={"optimizer": EmbOptimType.EXACT_ROWWISE_ADAGRAD, "learning_rate": LR, "eps": EPSILON}
    )
    # The planner deals out rows on GPUs only; this is the plan that it would make.
    rules = construct_module_sharding_plan(
        collection,
        {"table": row_wise(compute_kernel=EmbeddingComputeKernel.FUSED.value)},
        sharder=sharder,
        local_size=dist.get_world_size(),
        world_size=dist.get_world_size(),
        device_type="cpu",
    )
    model = DistributedModelParallel(
        nn.Sequential(collection),
        device=torch.device("cpu"),
        plan=ShardingPlan({"0": rules}),
        sharders=[sharder],
        init_data_parallel=False,
    )
    for shard in _shards(model).local_shards():
        start, count = shard.metadata.shard_offsets[0], shard.metadata.shard_sizes[0]
        shard.tensor.copy_(table.weight.detach()[start : start + count])
    return model


def gathered(model: DistributedModelParallel, like: Tensor) -> Tensor | None:
    """Return the whole table on the first rank, None on the others."""
    whole = torch.empty_like(like) if dist.get_rank() == 0 else None
    _shards(model).gather(0, whole)
    return whole


def stepped(table: FusedTable, ids: Tensor, weights: Tensor | None, gradient: Tensor) -> Tensor:
    """Return the rows of a table after the step that Polyrank takes of the mean of all ranks' gradients."""
    table.weight.requires_grad_()
    table.train()(ids, weights).backward(gradient / dist.get_world_size())
    optimizer = RowwiseAdagrad([table.weight], LR)
    found = RowGradient.of(table.weight)
    if found is not None:
        optimizer.step(0, found)
    return table.weight.detach()


def _shards(model: DistributedModelParallel) -> ShardedTensor:
    found: ShardedTensor = model.state_dict()[KEY]
    return found


def main() -> None:
    """Take each table of a run there and back, and print how far the two differ."""
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    ranker = TrainedRanker.load(Path(sys.argv[1]))
    ids, _, weights = tensors(ranker.sample)
    count = len(ids) // size * size
    own = slice(rank * count // size, (rank + 1) * count // size)
    for name, table in ranker.model.named_modules():
        if not isinstance(table, FusedTable):
            continue
        model = sharded(table)
        vectors = model(lookup_of(table, ids[own], None if weights is None else weights[own])).values()
        expected = table.eval()(ids[:count], None if weights is None else weights[:count]).detach()
        forward = float((vectors - expected[own]).abs().max())
        gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0))
        vectors.backward(gradient[own])
        whole = gathered(model, table.weight.detach())
        if whole is not None:
            here = stepped(table, ids[:count], None if weights is None else weights[:count], gradient)
            step = float((whole - here).abs().max())
            ranker.model.load_state_dict({f"{name}.weight": whole}, strict=False)
            shape = "x".join(map(str, whole.shape))
            print(
                f"{name}.weight {shape}, {size} ranks: vectors differ by {forward:.1e}, rows after a step by {step:.1e}"
            )
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
