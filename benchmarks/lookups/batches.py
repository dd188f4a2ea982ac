"""Batches of row numbers as the ids of a log are: a few rows often, most of them seldom."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

EXPONENT = 1.05  # of Zipf's law: half of the rows of a batch of 13,312 are there once or twice
TOUCHED = 2_000_000  # rows that all batches name together: so many that caches cannot hold what comes next


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """A table's size, batches of row numbers that come in turns, and a gradient for each place of a batch."""

    num_rows: int
    dim: int
    batches: list[NDArray[np.int64]]
    gradient: NDArray[np.float32]

    def in_turns(self, of_batch: Callable[[NDArray[np.int64]], object]) -> Iterator[object]:
        """Return what `of_batch` makes of one batch after the other, without end."""
        return itertools.cycle([of_batch(rows) for rows in self.batches])


def draw_work(num_rows: int, batch: int, dim: int) -> Work:
    """Draw batches that are the same in every run."""
    rng = np.random.default_rng(0)
    count = max(4, min(64, TOUCHED // batch))
    return Work(
        num_rows=num_rows,
        dim=dim,
        batches=[_zipf_rows(rng, batch, num_rows) for _ in range(count)],
        gradient=rng.normal(0, 0.01, (batch, dim)).astype(np.float32),
    )


def _zipf_rows(rng: np.random.Generator, count: int, num_rows: int) -> NDArray[np.int64]:
    power = 1 - EXPONENT
    ranks = ((1 + rng.random(count) * ((num_rows + 1) ** power - 1)) ** (1 / power)).astype(np.int64) - 1
    return ranks.clip(0, num_rows - 1) * 2_654_435_761 % num_rows  # a prime: often used rows lie all over the table
