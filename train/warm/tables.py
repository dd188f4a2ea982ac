"""Embedding tables of ids, taken over feature by feature."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from polyrank.encoder import Slots
from polyrank.models.embedding import FusedTable
from polyrank.models.ranker import Inputs

_HASHED_BY = ("dtype", "identity", "features", "sizes")
"""What decides which row an id has, besides the number of buckets."""


class OwnTable(NamedTuple):
    """The rows (R, D) of a feature's table, the first of them "missing", and what they stand for."""

    rows: Tensor
    num_buckets: int
    is_identity: bool
    hashed_by: tuple[Any, ...]


def own_tables(inputs: Inputs, others: Mapping[int, Tensor] | None = None) -> dict[str, OwnTable]:
    """Return the table of each feature that has one of its own: views of the weights.

    Args:
        inputs: which have them.
        others: tensors (R, D') that are taken apart in place of weights (R, D), by the `id` of the weights.
    """
    if inputs.embeddings is None:
        return {}
    fused = [table for table in inputs.embeddings.tables.values() if isinstance(table, FusedTable)]
    tensors = [table.weight.detach() if others is None else others[id(table.weight)] for table in fused]
    pairs = zip(fused, tensors, strict=True)
    return {name: own for table, rows in pairs for name, own in _taken_apart(table, rows)}


def take_rows(new: OwnTable, old: OwnTable | None) -> str | None:
    """Copy rows that mean the same; return why the table, or a part of it, stays as it is, None where nothing does.

    A table of a multiple of the buckets starts from the rows that its ids had: row `1 + b` from `1 + b mod old`.
    """
    if old is None:
        return "the older run has no such table"
    if new.rows.shape[1] != old.rows.shape[1]:
        return f"embedding_dim is {new.rows.shape[1]}, and was {old.rows.shape[1]}"
    if new.hashed_by != old.hashed_by:
        return "its ids are hashed in another way"
    if new.is_identity:
        return _take_identity(new, old)
    if new.num_buckets % old.num_buckets:
        return f"num_buckets is {new.num_buckets}, no multiple of the {old.num_buckets} it was"
    places = torch.arange(new.num_buckets) % old.num_buckets
    with torch.no_grad():
        new.rows[0] = old.rows[0]
        new.rows[1:] = old.rows[1:][places]
    return None


def _take_identity(new: OwnTable, old: OwnTable) -> str | None:
    count = min(new.num_buckets, old.num_buckets) + 1
    with torch.no_grad():
        new.rows[:count] = old.rows[:count]
    added = new.num_buckets + 1 - count
    return f"{added} rows are new" if added else None


def _taken_apart(table: FusedTable, tensor: Tensor) -> Iterator[tuple[str, OwnTable]]:
    owners = [slots for slots in table.layout if slots.feature.table == slots.feature.name]
    for slots, (start, size) in zip(owners, table.ranges, strict=True):
        feature = slots.feature
        is_identity = bool(getattr(feature, "identity", False))
        yield feature.name, OwnTable(tensor[start : start + size], size - 1, is_identity, _hashed_by(slots))


def _hashed_by(slots: Slots) -> tuple[Any, ...]:
    return tuple(getattr(slots.feature, name, None) for name in _HASHED_BY)
