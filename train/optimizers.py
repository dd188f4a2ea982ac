"""Optimisers: row-wise Adagrad for embedding tables, AdamW for the rest."""

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from polyrank.models.buckets import BucketTable
from polyrank.models.embedding import FusedTable

from .config import OptimizerConfig

EPSILON = 1e-8


class RowwiseAdagrad(Optimizer):
    """Adagrad with one accumulator per row, which touches only the rows of the batch.

    `s[r] += mean(g[r]²); w[r] -= lr · g[r] / (sqrt(s[r]) + eps)`, so a step costs what the batch touches, not what the
    table holds. Duchi et al., JMLR 12, 2011; kept per row as in Mudigere et al., ISCA 2022, section 4.1.1.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(params, {"lr": lr})
        for group in self.param_groups:
            for table in group["params"]:
                self.state[table]["sum"] = torch.zeros(len(table))

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Apply the sparse gradients of the last backward pass."""
        value = None if closure is None else closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._update(table, group["lr"])
        return value

    def _update(self, table: nn.Parameter, lr: float) -> None:
        gradient = table.grad
        assert gradient is not None  # noqa: S101 (checked by the caller; this tells the type checker)
        gradient = gradient.coalesce()
        rows, values = gradient.indices()[0], gradient.values()  # (U,), (U, D)
        accumulated: Tensor = self.state[table]["sum"]
        sums = accumulated[rows] + values.pow(2).mean(1)  # (U,)
        accumulated[rows] = sums
        table.index_add_(0, rows, values / (sums.sqrt() + EPSILON).unsqueeze(1), alpha=-lr)


def build_optimizers(model: nn.Module, config: OptimizerConfig) -> list[Optimizer]:
    """Give embedding tables to row-wise Adagrad and everything else to AdamW."""
    tables = [module.weight for module in model.modules() if isinstance(module, FusedTable | BucketTable)]
    owned = {id(table) for table in tables}
    others = [parameter for parameter in model.parameters() if id(parameter) not in owned]
    optimizers: list[Optimizer] = [AdamW(others, lr=config.lr, weight_decay=config.weight_decay, fused=True)]
    if tables:
        optimizers.append(RowwiseAdagrad(tables, config.embedding_lr))
    return optimizers
