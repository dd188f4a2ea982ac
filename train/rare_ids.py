"""Rows of embedding tables that few ids of the training rows fall on: they train, and answer, as "missing" does."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from polyrank.models import MultiTaskRanker
from polyrank.models.embedding import FusedTable

from .config_sections import RareIdsConfig
from .encoded import Selection


def mask_rare_rows(
    model: MultiTaskRanker, rows: Selection, config: RareIdsConfig, known: Mapping[str, Tensor] | None = None
) -> None:
    """Send rows that are rare among the training rows to that of "missing", until `fold_rare_rows`.

    Args:
        model: whose tables they are of.
        rows: of the training.
        config: says what is rare.
        known: rows that an older run has trained, which are not rare, bool (R,) by parameter.
    """
    if config.min_count > 0:
        for name, module in model.named_modules():
            if not isinstance(module, FusedTable):
                continue
            counts = count_rows(module, rows)
            firsts = module.first_rows()  # (R,)
            kept = (counts >= config.min_count) | (firsts == torch.arange(len(firsts)))
            if known is not None:
                kept |= known[f"{name}.weight"]
            module.stand_ins = torch.where(kept, torch.arange(len(firsts)), firsts)


def fold_rare_rows(model: MultiTaskRanker) -> None:
    """Give rare rows the vector of "missing", so that a lookup without the map gives the same."""
    for module in _tables(model):
        if module.stand_ins is not None:
            with torch.no_grad():
                module.weight.copy_(module.weight[module.stand_ins])
            module.stand_ins = None


def count_rows(table: FusedTable, rows: Selection) -> Tensor:
    """Count the values of training rows that fall on each row of a table, int64 (R,)."""
    counts = torch.zeros(len(table.weight), dtype=torch.int64)
    for chunk in rows.chunks():
        found, present = table.rows_of(torch.from_numpy(chunk.ids))
        counts += torch.bincount(found[present], minlength=len(counts))
    return counts


def _tables(model: nn.Module) -> list[FusedTable]:
    return [module for module in model.modules() if isinstance(module, FusedTable)]
