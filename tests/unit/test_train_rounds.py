"""Ranks that start again never take what ranks before them said."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from torch._C._distributed_c10d import HashStore, Store

from polyrank.train.rounds import own_part


def meet(store: Store, size: int) -> list[Store]:
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: own_part(store, rank, size, timeout_s=20.0), range(size)))


def test_ranks_of_a_round_share_a_part() -> None:
    parts = meet(HashStore(), 3)
    parts[0].set("said", "by the first")
    assert [part.get("said") for part in parts] == [b"by the first"] * 3


@pytest.mark.parametrize("size", [2, 4])
def test_next_round_finds_nothing_of_the_last(size: int) -> None:
    store = HashStore()
    for part in meet(store, 3):
        part.set("said", "before")
    assert not any(part.check(["said"]) for part in meet(store, size))


def test_rank_that_died_while_it_waited_does_not_count() -> None:
    store = HashStore()
    with pytest.raises(RuntimeError, match=r"^not all of them came$"):
        own_part(store, 1, 3, timeout_s=0.0)
    parts = meet(store, 3)
    parts[1].set("said", "now")
    assert parts[0].get("said") == b"now"


def test_first_rank_waits_no_longer_than_it_is_to() -> None:
    with pytest.raises(RuntimeError, match=r"^not all of them came$"):
        own_part(HashStore(), 0, 2, timeout_s=0.05)
