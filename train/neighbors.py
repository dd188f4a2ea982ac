"""Tables of features of neighbours, fitted on training rows only."""

import logging
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Slots, slot_layout
from polyrank.features import NeighborsFeature, SharingFeature
from polyrank.schema import Schema

from .nearest import capped, distinct, nearest

MIN_PENDING = 2**20
"""Engagements that wait before they are merged into the distinct ones."""

logger = logging.getLogger(__name__)


def fit_neighbors(
    schema: Schema, chunks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]], *, progress: bool = False
) -> dict[str, NDArray[np.int32]]:
    """Return the table of each feature of neighbours.

    Memory holds less than 100 bytes for each distinct engagement, beside the tables and 200 MiB to rank in.

    Args:
        schema: a resolved one.
        chunks: encoded training rows in parts, read once: ids int64 [B, S] and labels float32 [B, T], NaN where
            unobserved. They are not read where the schema has no such feature.
        progress: show a bar on standard error, when that is a terminal.

    Returns:
        int32 [R, K] by feature: for each row of the embedding table of `of` the rows of its neighbours, nearest first;
        0, "missing", where there are fewer.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    found = [_Engagements(schema, feature) for feature in schema.neighbors_features]
    if found:
        for ids, labels in chunks:
            for one in found:
                one.add(ids, labels)
    return {one.feature.name: one.neighbors(progress=progress) for one in found}


class _Engagements:
    """Distinct pairs of a row of `by` and a row of `of` that it engaged with, each as one integer."""

    def __init__(self, schema: Schema, feature: NeighborsFeature) -> None:
        slots = {slots.feature.name: slots for slots in slot_layout(schema)}
        self.feature, self.of, self.by = feature, slots[feature.of], slots[feature.by]
        names = [task.name for task in schema.tasks]
        self.task = None if feature.task is None else names.index(feature.task)
        self.num_rows = (self.of.feature.num_buckets or 0) + 1
        self.merged = np.empty(0, np.int64)
        self.pending: list[NDArray[np.int64]] = []
        self.num_pending = 0

    def add(self, ids: NDArray[np.int64], labels: NDArray[np.float32]) -> None:
        """Read the next training rows."""
        of, by = _rows(ids, self.of), _rows(ids, self.by)
        engaged = (of > 0) & (by > 0)
        if self.task is not None:
            engaged &= labels[:, self.task] == 1.0
        self.pending.append(distinct(by[engaged] * self.num_rows + of[engaged]))
        self.num_pending += len(self.pending[-1])
        if self.num_pending > max(len(self.merged), MIN_PENDING):
            self._merge()

    def neighbors(self, *, progress: bool) -> NDArray[np.int32]:
        """Return the table."""
        self._merge()
        by, of = np.divmod(self.merged, self.num_rows)
        logger.info("neighbours of %s by %s: %d distinct engagements", self.feature.of, self.feature.by, len(of))
        return nearest(*capped(by, of), num_rows=self.num_rows, k=self.feature.k, progress=progress)

    def _merge(self) -> None:
        self.merged = distinct(np.concatenate([self.merged, *self.pending]))
        self.pending, self.num_pending = [], 0


def _rows(ids: NDArray[np.int64], slots: Slots) -> NDArray[np.int64]:
    """Return rows of the embedding table, int64 [B], as `polyrank.models.embedding.table_rows` does of tensors."""
    values, num_buckets = ids[:, slots.start], slots.feature.num_buckets or 0
    is_identity = isinstance(slots.feature, SharingFeature) and slots.feature.identity
    present = (values >= 0) & (values < num_buckets) if is_identity else values >= 0
    return np.where(present, 1 + values % num_buckets, 0)
