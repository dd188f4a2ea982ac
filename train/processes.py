"""Processes that train one model together, started by torchrun: each has a rank, and its part of every batch."""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import Store
from torch.distributed.distributed_c10d import _set_pg_timeout
from torch.distributed.rendezvous import rendezvous

from polyrank.errors import ConfigError, OtherRankError
from polyrank.reasons import first_line

from .rounds import own_part
from .seeds import nth_seed

T = TypeVar("T")

JOIN_S = 600.0
WAIT = timedelta(hours=1)
"""How long ranks wait for one another: one that ends closes its connections, and one whose machine is gone does not."""
ENCODE_WAIT = timedelta(days=7)
"""How long they wait while one works for all on the disk of a machine: it may encode terabytes."""

_ERRORS = "polyrank/errors"
_NAMELESS = "none"  # the default of torchrun's --rdzv-id, where it makes none up itself


@dataclasses.dataclass(frozen=True)
class Processes:
    """This process among those that train together. All call the same methods in the same order.

    Attributes:
        rank: from 0.
        size: how many there are; of 1 no method does anything.
        local_rank: from 0, among those of this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether it is this one that writes, logs and shows progress."""
        return self.rank == 0

    def seed_of(self, seed: int, step: int) -> int:
        """Return what this rank draws a step from: another number for each rank, so that they drop other units.

        It depends on nothing else, so that ranks go on from a checkpoint that the first one wrote.
        """
        return nth_seed(seed, step * self.size + self.rank)

    def add(self, tensor: Tensor) -> Tensor:
        """Add up the tensors of all ranks in place, to the same bits on each.

        Raises:
            OtherRankError: another rank ended; so does each method.
        """
        if self.size > 1:
            with _others():
                dist.all_reduce(tensor)
        return tensor

    def any(self, is_so: bool) -> bool:  # noqa: FBT001 (the one argument)
        """Say whether it is so on some rank."""
        return bool(self.add(torch.tensor(float(is_so))) > 0)

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Return the tensors of all ranks, which have one shape, by rank."""
        if self.size == 1:
            return [tensor]
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        with _others():
            dist.all_gather(found, tensor)
        return found

    def collect(self, value: T) -> list[T] | None:
        """Return the values of all ranks, by rank, on the first; None on the others."""
        if self.size == 1:
            return [value]
        found: list[Any] | None = [None] * self.size if self.is_first else None
        with _others():
            dist.gather_object(value, found)
        return found

    def share(self, value: T) -> T:
        """Return the value of the first rank."""
        if self.size == 1:
            return value
        shared = [value]
        with _others():
            dist.broadcast_object_list(shared)
        return shared[0]

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do work that leaves something on the disk of a machine: one rank of it first, then the others."""
        with self._patient():
            if self.local_rank > 0:
                self._wait()
            result = work()
            if self.local_rank == 0:
                self._wait()
        return result

    def require_same(self, **values: object) -> None:
        """Refuse ranks that do not train the same.

        Raises:
            ConfigError: a value is not that of the first rank; names the rank and the value.
        """
        found = self.share(self.collect(values))
        for rank, other in enumerate(found or ()):
            for name in values:
                if found is not None and other[name] != found[0][name]:
                    raise ConfigError(f"{name} of rank {rank} differ from those of rank 0; give all ranks the same")

    def _wait(self) -> None:
        self.add(torch.zeros(1))

    @contextlib.contextmanager
    def _patient(self) -> Iterator[None]:
        """Wait for `ENCODE_WAIT` inside the block."""
        if not dist.is_initialized():
            yield
            return
        _set_pg_timeout(ENCODE_WAIT)
        try:
            yield
        finally:
            _set_pg_timeout(WAIT)


ALONE = Processes()


@contextlib.contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that were started with this one, until the block ends; alone where there are none.

    Of several that fail, one says why. A block inside another shares its processes.

    Raises:
        ConfigError: the environment is not that of torchrun, or the others are not there.
        OtherRankError: another rank failed first.
    """
    if dist.is_available() and dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size(), _local_rank())
        return
    if not is_launched():
        yield ALONE
        return
    store = _joined_store()
    try:
        processes = Processes(dist.get_rank(), dist.get_world_size(), _local_rank())
        with _silent(but=processes.is_first):
            yield processes
    except (Exception, KeyboardInterrupt) as err:
        if not _is_first_error(store):
            raise OtherRankError("another rank failed first, and has said why", is_told=True) from err
        raise
    finally:
        dist.destroy_process_group()


def require_rows_for_all(batch_size: int, processes: Processes) -> None:
    """Refuse batches of which some rank would have fewer than two rows.

    Raises:
        ConfigError: `batch_size` is that small.
    """
    if processes.size > 1 and batch_size < 2 * processes.size:
        raise ConfigError(
            f"$.batch_size is that of all processes together, and must be {2 * processes.size} or above for "
            f"{processes.size} of them, got {batch_size}; raise it, or lower --nproc-per-node"
        )


def is_launched() -> bool:
    """Say whether this process is one of several that were started together.

    Raises:
        ConfigError: it is, but not by torchrun or in its way.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if size == "1":
        return False
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if missing:
        raise ConfigError(
            f"WORLD_SIZE is {size}, but {missing[0]} is not set; start with torchrun, or unset WORLD_SIZE"
        )
    return True


def ranks_of_machine() -> int:
    """Return how many processes torchrun started on this machine with this one, itself among them; 1 without it."""
    size = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(1, int(size)) if size.isdecimal() else 1


def job_id() -> str | None:
    """Return what torchrun calls this job, in all that it starts for it; None without torchrun, or without a name.

    It is the same after restarts, on machines that joined late, and where one process is left of several.
    """
    name = os.environ.get("TORCHELASTIC_RUN_ID", _NAMELESS)
    return None if name == _NAMELESS else name


def _joined_store() -> Store:
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        store, rank, size = next(rendezvous("env://", timeout=timedelta(seconds=JOIN_S)))
        store = own_part(store, rank, size, timeout_s=JOIN_S)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timedelta(seconds=JOIN_S))
        _set_pg_timeout(WAIT)
    except (RuntimeError, ValueError) as err:
        reason = first_line(err)
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise ConfigError(f"cannot join the other ranks at {address}: {reason}; start all with torchrun") from err
    found: Store = store
    return found


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", os.environ.get("RANK", "0")))


def _is_first_error(store: Store) -> bool:
    try:
        return int(store.add(_ERRORS, 1)) == 1
    except RuntimeError:  # whoever kept the store is gone
        return True


@contextlib.contextmanager
def _others() -> Iterator[None]:
    """Tell errors of the network from others: they are those of a rank that ended."""
    try:
        yield
    except RuntimeError as err:
        raise OtherRankError(
            "another rank ended without a word, as one does that is killed; look at what torchrun says of it"
        ) from err


@contextlib.contextmanager
def _silent(*, but: bool) -> Iterator[None]:
    """Log nothing inside the block, on all ranks but one."""
    logger = logging.getLogger("polyrank")
    before = logger.level
    if not but:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
