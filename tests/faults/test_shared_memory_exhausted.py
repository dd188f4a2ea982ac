"""A server and its clients in a container whose shared memory is too small."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from artefacts.small_shared_memory import CALLS, found_within


@pytest.mark.faults(
    fault="exhausted shared memory", promise="right scores, or one line; the server lives, or does not start", rounds=8
)
def test_small_shared_memory_gives_no_wrong_score(
    chance: random.Random, strikes: Callable[[bool], None], served: Path
) -> None:
    found = found_within(f"{chance.choice([16, 64, 512, 1024, 2048, 4096, 8192])}k", served, chance.randrange(2**31))
    strikes(len(found["refused"]) > 0)
    assert found["wrong"] == 0
    assert found["right"] + len(found["refused"]) in (1, CALLS)  # one where the server does not start
