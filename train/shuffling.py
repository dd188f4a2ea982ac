"""The order in which rows train: shards of rows at random, and rows at random within as many shards as fit memory.

An epoch's order follows from the seed, the epoch and the number of rows, not from files or from what ran before, so a
run that goes on at some step sees the batches that it would have seen. What fits memory whole is shuffled as a whole.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .encoded import EncodedRows, Selection

SHARDS_IN_MEMORY = 64
"""So many places of the data set mix at a time, and so long are the runs of rows that are read in one go."""

_GOLDEN_RATIO = 0x9E3779B97F4A7C15
_INDEX_BYTES = 8


class TrainingBatch(NamedTuple):
    """What a step trains on: the tensors of a batch, labels (B, T), and weights of rows (B,), if there are any."""

    ids: Tensor
    dense: Tensor
    labels: Tensor
    weights: Tensor | None
    sample_weights: Tensor | None

    @property
    def num_rows(self) -> int:
        """Return B, the number of rows."""
        return len(self.ids)

    def pick(self, rows: Tensor) -> "TrainingBatch":
        """Copy rows."""
        return TrainingBatch(*(None if tensor is None else tensor.index_select(0, rows) for tensor in self))  # type: ignore[arg-type]

    def with_rows(self, others: "TrainingBatch") -> "TrainingBatch":
        """Return these rows, and others after them."""
        pairs = zip(self, others, strict=True)
        return TrainingBatch(*(None if a is None or b is None else torch.cat([a, b]) for a, b in pairs))  # type: ignore[arg-type]


class Shuffler:
    """Gives the batches of each epoch."""

    def __init__(self, rows: Selection, *, batch_size: int, seed: int, memory_bytes: int) -> None:
        """Prepare to shuffle `rows`, with at most `memory_bytes` of them copied to memory at a time."""
        self._rows = rows
        self._batch_size = batch_size
        self._seed = seed
        window = max(memory_bytes // (rows.row_bytes + _INDEX_BYTES), batch_size)
        self._shard_rows = max(1, window // SHARDS_IN_MEMORY)
        self._is_whole = len(rows) <= window
        self._held: EncodedRows | None = None

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has; a last one of one row is left out, since batch norm needs two."""
        full, rest = divmod(len(self._rows), self._batch_size)
        return full + (rest > 1)

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[TrainingBatch]:
        """Yield the batches of an epoch, from 1, but for the first `first_step`."""
        rest = None
        for rows, places in self.windows(epoch, first_step * self._batch_size):
            start = 0
            while start < len(places):
                wanted = self._batch_size - (0 if rest is None else rest.num_rows)
                part = rows.pick(places[start : start + wanted])
                start += wanted
                batch = part if rest is None else rest.with_rows(part)
                rest = batch if batch.num_rows < self._batch_size else None
                if rest is None:
                    yield batch
        if rest is not None and rest.num_rows > 1:
            yield rest

    def windows(self, epoch: int, first_row: int = 0) -> Iterator[tuple[TrainingBatch, Tensor]]:
        """Yield the rows that are in memory together, and their places in the order in which they train.

        The first `first_row` rows of that order are left out. The next window is written over the rows of the last.
        """
        order = torch.Generator().manual_seed((self._seed + (epoch - 1) * _GOLDEN_RATIO) % 2**63)
        for ranges, following in itertools.pairwise([*self._ranges(order), []]):
            count = sum(stop - start for start, stop in ranges)
            places = torch.randperm(count, generator=order)
            if first_row < count:
                rows = self._load(ranges)
                self._rows.expect(*following)
                yield rows, places[first_row:]
            first_row = max(first_row - count, 0)

    def _ranges(self, order: torch.Generator) -> list[list[tuple[int, int]]]:
        """Return ranges of positions that are in memory together."""
        count, size = len(self._rows), self._shard_rows
        if self._is_whole:
            return [[(0, count)]]
        shards = torch.randperm(-(-count // size), generator=order).tolist()
        windows = [
            sorted(shards[first : first + SHARDS_IN_MEMORY]) for first in range(0, len(shards), SHARDS_IN_MEMORY)
        ]
        return [[(shard * size, min((shard + 1) * size, count)) for shard in window] for window in windows]

    def _load(self, ranges: list[tuple[int, int]]) -> TrainingBatch:
        if self._held is not None and self._is_whole:
            return _tensors(self._held)
        rows = self._rows.read(*ranges, over=self._held)
        if self._held is None or len(rows) > len(self._held):
            self._held = rows
        return _tensors(rows)


def _tensors(rows: EncodedRows) -> TrainingBatch:
    arrays = {name: torch.from_numpy(array) for name, array in rows.arrays().items()}
    return TrainingBatch(
        arrays["ids"], arrays["dense"], arrays["labels"], arrays.get("weights"), arrays.get("sample_weights")
    )
