"""Ranks as threads of one process, which meet where processes would."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

from polyrank.train.processes import Processes

T = TypeVar("T")


class Table:
    """Where ranks lay down what they exchange."""

    def __init__(self, size: int) -> None:
        self.values: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=30.0)


@dataclasses.dataclass(frozen=True)
class ThreadProcesses(Processes):
    """A rank that is a thread."""

    table: Table = dataclasses.field(default_factory=lambda: Table(1))

    def exchange(self, value: T) -> list[T]:
        """Return what each rank gave."""
        self.table.values[self.rank] = value
        self.table.barrier.wait()
        found = list(self.table.values)
        self.table.barrier.wait()
        return found

    def add(self, tensor: Tensor) -> Tensor:
        return tensor.copy_(torch.stack(self.exchange(tensor.clone())).sum(0))

    def gather(self, tensor: Tensor) -> list[Tensor]:
        return self.exchange(tensor)

    def collect(self, value: T) -> list[T] | None:
        found = self.exchange(value)
        return found if self.is_first else None

    def share(self, value: T) -> T:
        return self.exchange(value)[0]


def on_ranks(size: int, work: Callable[[Processes], T]) -> list[T]:
    """Do work on each of `size` ranks, and return what each gives."""
    table = Table(size)
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: work(ThreadProcesses(rank, size, rank, table)), range(size)))
