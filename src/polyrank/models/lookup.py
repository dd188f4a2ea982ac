"""Lookups that train: vectors of a batch straight from the table, and their gradients straight to its rows."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from polyrank.embedding_rows import pool_rows, spread_rows


def pooled_lookup(table: Tensor, rows: Tensor, factors: Tensor | None, widths: Sequence[int]) -> Tensor:
    """Look up and add up, with a sparse gradient of the table.

    Args:
        table: float32 (R, D) of the CPU.
        rows: int64 (B, S), each in [0, R).
        factors: float32 (B, S), without gradient; None is 1 for all. Rows of factor 0 are not read.
        widths: of F vectors, how many of the S columns each adds up.

    Returns:
        float32 (B, F * D).
    """
    result: Tensor = _PooledLookup.apply(table, rows.contiguous(), factors, widths)  # type: ignore[no-untyped-call]
    return result


class _PooledLookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, factors: Tensor | None, widths: Sequence[int]) -> Tensor:
        ctx.save_for_backward(rows, factors)
        ctx.widths, ctx.size = widths, table.shape
        out = table.new_empty(len(rows), len(widths) * table.shape[1])
        arrays = (table.detach().numpy(), rows.numpy(), _array(factors), widths, out.numpy())
        pool_rows(*arrays, threads=torch.get_num_threads())
        return out

    @staticmethod
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None, None, None]:
        rows, factors = ctx.saved_tensors
        found, values = spread_rows(gradients.contiguous().numpy(), rows.numpy(), _array(factors), ctx.widths)
        indices = torch.from_numpy(found).unsqueeze(0)
        gradient = torch.sparse_coo_tensor(indices, torch.from_numpy(values), ctx.size, check_invariants=False)
        return gradient, None, None, None


def _array(factors: Tensor | None) -> Any:
    return None if factors is None else factors.numpy()
