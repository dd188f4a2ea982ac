"""How many rows of the embedding tables training reached: the others still have their random first vectors."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from polyrank.models import MultiTaskRanker
from polyrank.models.embedding import FusedTable

from .optimizers import RowOptimizer


@dataclasses.dataclass(frozen=True)
class TableRows:
    """Rows of a feature's table, over the tables of all tasks where each has its own.

    Attributes:
        rows: with those of "missing".
        trained: those that a step changed.
        rare: those that train and answer as "missing", see `RareIdsConfig.min_count`.
    """

    rows: int
    trained: int
    rare: int

    def __add__(self, other: "TableRows") -> "TableRows":
        return TableRows(self.rows + other.rows, self.trained + other.trained, self.rare + other.rare)


def count_table_rows(model: MultiTaskRanker, optimizer: RowOptimizer) -> dict[str, TableRows]:
    """Count by feature, before rare rows are folded."""
    changed = {id(table): rows for table, rows in zip(optimizer.tables, optimizer.changed_rows(), strict=True)}
    found: dict[str, TableRows] = {}
    for module in model.modules():
        if isinstance(module, FusedTable):
            for name, counts in _counted(module, changed).items():
                found[name] = found[name] + counts if name in found else counts
    return found


def trained_rows(
    model: MultiTaskRanker, optimizer: RowOptimizer, known: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Return which rows of each table a step changed, a bit for each, by parameter: uint8 (ceil(R / 8),).

    Args:
        model: whose tables they are of.
        optimizer: which changed them.
        known: those that an older run had changed, bool (R,) by parameter.
    """
    changed = {id(table): rows for table, rows in zip(optimizer.tables, optimizer.changed_rows(), strict=True)}
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, FusedTable):
            rows, parameter = changed[id(module.weight)], f"{name}.weight"
            trained = rows if known is None else rows | known[parameter]
            found[parameter] = torch.from_numpy(np.packbits(trained.numpy()))
    return found


def _counted(table: FusedTable, changed: Mapping[int, Tensor]) -> dict[str, TableRows]:
    owners = [slots.feature.name for slots in table.layout if slots.feature.table == slots.feature.name]
    found = {}
    for name, (start, size) in zip(owners, table.ranges, strict=True):
        trained = int(changed[id(table.weight)][start : start + size].sum())
        stand_ins = None if table.stand_ins is None else table.stand_ins[start + 1 : start + size]
        rare = 0 if stand_ins is None else int((stand_ins == start).sum())
        found[name] = TableRows(size, trained, rare)
    return found
