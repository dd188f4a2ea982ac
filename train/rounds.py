"""Ranks that torchrun starts again meet anew: its store still holds what the ranks before them said."""

import secrets
import time

from torch._C._distributed_c10d import PrefixStore, Store

_POLL_S = 0.02
_HELLO, _WELCOME, _PRESENT = "polyrank/hello", "polyrank/welcome", "present"


def own_part(store: Store, rank: int, size: int, *, timeout_s: float) -> Store:
    """Agree on a part of a store that no ranks before these have used, and return it.

    The first rank names it, and tells each rank that says hello by a name of its own: so none takes the part of a
    round that is over, whatever is left of that. Nothing in the environment is the same in all ranks of a round and
    in no other round: machines count the restarts each for themselves.

    Args:
        store: all ranks reach it.
        rank: of this process.
        size: how many there are.
        timeout_s: for the others to come.

    Raises:
        RuntimeError: they do not come, or the store is gone.
    """
    deadline = time.monotonic() + timeout_s
    part = _named(store, size, deadline) if rank == 0 else _told(store, rank, deadline)
    return PrefixStore(part, store)


def _named(store: Store, size: int, deadline: float) -> str:
    part = f"polyrank/{secrets.token_hex(8)}"
    while store.add(f"{part}/{_PRESENT}", 0) < size - 1:
        for rank in range(1, size):
            if store.check([f"{_HELLO}/{rank}"]):
                store.set(f"{_WELCOME}/{store.get(f'{_HELLO}/{rank}').decode()}", part)
        _wait(deadline)
    return part


def _told(store: Store, rank: int, deadline: float) -> str:
    name = secrets.token_hex(8)
    store.set(f"{_HELLO}/{rank}", name)
    while not store.check([f"{_WELCOME}/{name}"]):  # to block in `get` would keep a signal waiting
        _wait(deadline)
    part = store.get(f"{_WELCOME}/{name}").decode()
    store.add(f"{part}/{_PRESENT}", 1)
    return part


def _wait(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise RuntimeError("not all of them came")
    time.sleep(_POLL_S)
