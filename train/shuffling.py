"""The order in which rows train: shards of rows at random, and rows at random within as many shards as fit memory.

An epoch's order follows from the seed, the epoch and the number of rows, not from files or from what ran before, so a
run that goes on at some step sees the batches that it would have seen. What fits memory whole is shuffled as a whole.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from polyrank.embedding_rows import gather_rows

from .encoded import EncodedRows, Selection
from .seeds import nth_seed

SHARDS_IN_MEMORY = 64
"""So many places of the data set mix at a time, and so long are the runs of rows that are read in one go."""

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
        return TrainingBatch(*(None if tensor is None else _picked(tensor, rows) for tensor in self))  # type: ignore[arg-type]

    def with_rows(self, others: "TrainingBatch") -> "TrainingBatch":
        """Return these rows, and others after them."""
        pairs = zip(self, others, strict=True)
        return TrainingBatch(*(None if a is None or b is None else torch.cat([a, b]) for a, b in pairs))  # type: ignore[arg-type]


class Shuffler:
    """Gives the batches of each epoch."""

    def __init__(
        self, rows: Selection, *, batch_size: int, seed: int, memory_bytes: int, rank: int = 0, world_size: int = 1
    ) -> None:
        """Prepare to shuffle `rows`, with at most `memory_bytes` of them copied to memory at a time.

        Of `world_size` processes, each of a `rank` from 0, each gives its part of the same batches.
        """
        self._rows = rows
        self._batch_size = batch_size
        self._seed = seed
        self._rank, self._world_size = rank, world_size
        window = max(memory_bytes // (rows.row_bytes + _INDEX_BYTES), batch_size)
        self._shard_rows = max(1, window // SHARDS_IN_MEMORY)
        self._is_whole = len(rows) <= window
        self._held: EncodedRows | None = None

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has; a last one of one row is left out, since batch norm needs two."""
        full, rest = divmod(len(self._rows), self._batch_size)
        return full + (rest > 1)

    def num_rows(self, step: int) -> int:
        """Return how many rows a batch of an epoch has, on all ranks together; steps count from 0."""
        return min(self._batch_size, len(self._rows) - step * self._batch_size)

    def rows_before(self, epoch: int, step: int) -> int:
        """Return how many rows train before a step of an epoch; epochs count from 1, steps from 0."""
        return (epoch - 1) * self._rows_of(self.steps_per_epoch) + self._rows_of(step)

    def _rows_of(self, steps: int) -> int:
        return min(steps * self._batch_size, len(self._rows))

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[TrainingBatch]:
        """Yield the batches of an epoch, from 1, but for the first `first_step`; of several ranks this one's parts."""
        steps, rest = iter(range(first_step, self.steps_per_epoch)), None
        step = next(steps, None)
        for rows, places in self.windows(epoch, first_step * self._batch_size):
            start = 0
            while step is not None:
                wanted = self._own_rows(step) - (0 if rest is None else rest.num_rows)
                part = rows.pick(places[start : start + wanted])
                start += wanted
                batch = part if rest is None else rest.with_rows(part)
                if start > len(places):
                    rest = batch if batch.num_rows > 0 else None
                    break
                rest, step = None, next(steps, None)
                yield batch

    def _own_rows(self, step: int) -> int:
        first, last = self._own_places(self.num_rows(step))
        return last - first

    def _own_places(self, num_rows: int) -> tuple[int, int]:
        """Return where this rank's rows of a batch begin and end."""
        return num_rows * self._rank // self._world_size, num_rows * (self._rank + 1) // self._world_size

    def windows(self, epoch: int, first_row: int = 0) -> Iterator[tuple[TrainingBatch, Tensor]]:
        """Yield the rows that are in memory together, and their places in the order in which they train.

        The first `first_row` rows of that order are left out, and those of other ranks. The next window is written
        over the rows of the last.
        """
        window_start = 0
        order = torch.Generator().manual_seed(nth_seed(self._seed, epoch - 1))
        for ranges, following in itertools.pairwise([*self._ranges(order), []]):
            count = sum(stop - start for start, stop in ranges)
            places = torch.randperm(count, generator=order)
            if first_row < window_start + count:
                owned = self._is_own(torch.arange(max(first_row, window_start), window_start + count))
                yield self._load(ranges, places[max(first_row - window_start, 0) :][owned], following)
            window_start += count

    def _is_own(self, order: Tensor) -> Tensor:
        """Say which places in the order of an epoch are this rank's, bool."""
        if self._world_size == 1:
            return torch.ones(len(order), dtype=torch.bool)
        num_full = len(self._rows) // self._batch_size * self._batch_size
        first, last = self._own_places(self._batch_size)
        first_of_rest, last_of_rest = self._own_places(len(self._rows) - num_full)
        within, is_full = order % self._batch_size, order < num_full
        begin, end = torch.where(is_full, first, first_of_rest), torch.where(is_full, last, last_of_rest)
        return (begin <= within) & (within < end)

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

    def _load(
        self, ranges: list[tuple[int, int]], places: Tensor, following: list[tuple[int, int]]
    ) -> tuple[TrainingBatch, Tensor]:
        """Return rows at places of ranges, and where they are among those: rows of other ranks are not copied."""
        if self._held is not None and self._is_whole:
            return _tensors(self._held), places
        kept = None
        if self._world_size > 1 and not self._is_whole:
            is_kept = torch.zeros(sum(stop - start for start, stop in ranges), dtype=torch.bool)
            is_kept[places] = True
            kept, places = is_kept.numpy(), (is_kept.cumsum(0) - 1)[places]
        rows = self._rows.read(*ranges, over=self._held, kept=kept)
        self._rows.expect(*following)
        if self._held is None or len(rows) > len(self._held):
            self._held = rows
        return _tensors(rows), places


def _picked(tensor: Tensor, rows: Tensor) -> Tensor:
    """Copy rows (N,) of a tensor whose numbers have 4 or 8 bytes: the bits, as if they were those of a table."""
    picked = torch.empty(len(rows), *tensor.shape[1:], dtype=tensor.dtype)
    if picked.numel() > 0:
        table, out = (each.numpy().reshape(len(each), -1).view(np.float32) for each in (tensor, picked))
        gather_rows(table, rows.numpy(), out, threads=torch.get_num_threads())
    return picked


def _tensors(rows: EncodedRows) -> TrainingBatch:
    arrays = {name: torch.from_numpy(array) for name, array in rows.arrays().items()}
    return TrainingBatch(
        arrays["ids"], arrays["dense"], arrays["labels"], arrays.get("weights"), arrays.get("sample_weights")
    )
