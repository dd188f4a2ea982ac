"""The same in PyTorch: what `nn.Embedding(sparse=True)` and a row-wise Adagrad in Python do."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .batches import Work

LR, EPSILON = 1e-3, 1e-8


def pytorch_calls(work: Work, table: np.ndarray, sums: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return each part of a step, and all of them, on one thread."""
    torch.set_num_threads(1)
    torch.sparse.check_sparse_tensor_invariants.disable()
    weights, squares, gradient = (torch.from_numpy(array) for array in (table, sums, work.gradient))
    rows = work.in_turns(torch.from_numpy)

    def coalesce(batch: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.sparse_coo_tensor(batch[None], gradient, weights.shape).coalesce()
        return total.indices()[0], total.values()

    def update(unique: Tensor, values: Tensor) -> None:
        accumulated = squares[unique] + values.pow(2).mean(1)
        squares[unique] = accumulated
        weights.index_add_(0, unique, values / (accumulated.sqrt() + EPSILON).unsqueeze(1), alpha=-LR)

    def step() -> None:
        batch = next(rows)
        functional.embedding(batch, weights)
        update(*coalesce(batch))

    coalesced = work.in_turns(lambda batch: coalesce(torch.from_numpy(batch)))
    return {
        "lookup": lambda: functional.embedding(next(rows), weights),
        "sums over equal rows": lambda: coalesce(next(rows)),
        "update of unique rows": lambda: update(*next(coalesced)),
        "whole step": step,
    }
