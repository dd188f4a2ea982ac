"""Whatever step of the loop SIGKILL hits, the next run ends where one that was never killed does."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from artefacts.killed_loop import KilledLoop, killed_loop
from artefacts.shop_logs import Shop

from polyrank.export import list_versions

EVENTS: tuple[Callable[[Shop], None], ...] = (
    lambda shop: shop.show(hours=(0, 6), rows=900),
    lambda shop: shop.show(hours=(6, 12), rows=900, version=1, seed=1),
    lambda shop: shop.show(hours=(12, 16), rows=600, version=2, taste=0.3, seed=2),
)
"""What happens between runs of the loop: a first version, a second one, and users who do not like that."""


@pytest.fixture(scope="module")
def process() -> Iterator[KilledLoop]:
    with killed_loop() as started:
        yield started


@pytest.fixture(scope="module")
def unkilled(process: KilledLoop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[int]]:
    """How a loop ends that is never killed, and how many steps each of its runs takes."""
    shop = Shop.open(tmp_path_factory.mktemp("unkilled"))
    steps = []
    for happen in EVENTS:
        happen(shop)
        steps.append(process.run(shop.settings) or 0)
    assert min(steps) > 20
    return state_of(shop), steps


def state_of(shop: Shop) -> Any:
    """Return all that must be the same: records without times, weights, versions, and which files there are."""
    cycles = shop.folder / "loop" / "cycles"
    versions = list_versions(shop.folder / "models")
    return {
        "records": {str(file.relative_to(cycles)): record_of(file) for file in sorted(cycles.rglob("??-*.json"))},
        "weights": {str(file.relative_to(cycles)): file.read_bytes() for file in cycles.rglob("weights.safetensors")},
        "versions": [(each.version, each.run_id, each.origin, each.is_live, each.damage) for each in versions],
        "files": sorted(
            str(file.relative_to(shop.folder)) for file in shop.folder.rglob("*") if ".partial" not in str(file)
        ),
    }


def record_of(file: Path) -> Any:
    times = ("began", "seconds", "looked")
    return {name: value for name, value in json.loads(file.read_bytes()).items() if name not in times}


def killed_often(process: KilledLoop, shop: Shop, steps: list[int], *, kills: int, seed: int) -> Any:
    chance = random.Random(seed)
    for happen, count in zip(EVENTS, steps, strict=True):
        happen(shop)
        for _ in range(kills):
            process.run(shop.settings, kill_at=chance.randint(1, count))
        assert process.run(shop.settings) is not None
    return state_of(shop)


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "seed"), [(2, 0), *((6, seed) for seed in range(1, 7))])
def test_loop_that_is_killed_again_and_again_ends_as_one_that_is_not(
    process: KilledLoop, unkilled: tuple[Any, list[int]], tmp_path: Path, kills: int, seed: int
) -> None:
    ended, steps = unkilled
    assert killed_often(process, Shop.open(tmp_path), steps, kills=kills, seed=seed) == ended
