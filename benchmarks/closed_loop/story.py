"""A closed loop from its first logs to its last day."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.serving import serve
from polyrank.train.datasets.storefront.history import HISTORY

from .day import AT_THOSE, RANKED, SERVED, Day, live_through
from .newcomers import WATCHED_DAYS, Newcomers
from .rivals import NAMES, FrozenRanker
from .turning import Turns, versions
from .world import PAGE, Sizes, World


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found.

    Attributes:
        sizes: of the world.
        kills: that the loop suffered.
        seconds: that all took.
        turn_s: that each turn of the loop took.
        days: one for each cycle.
        versions: what each cycle came to.
        newcomers: how new items and users fared; None where that was not asked for.
    """

    sizes: Sizes
    kills: int
    seconds: float
    turn_s: list[float]
    days: list[dict[str, Any]]
    versions: list[dict[str, Any]]
    newcomers: dict[str, Any] | None = None

    @property
    def outcome(self) -> dict[str, Any]:
        """What must be the same however often the loop was killed."""
        return {"days": self.days, "versions": self.versions, "newcomers": self.newcomers}


def tell(folder: Path, sizes: Sizes, *, kills: int = 0, with_newcomers: bool = True) -> Story:
    """Run a closed loop.

    Args:
        folder: of the application; new.
        sizes: of the world.
        kills: how often each turn of the loop is killed before it may end.
        with_newcomers: whether items and users come late, after the last cycle, and are watched for four days.
    """
    start = time.monotonic()
    world = World.make(folder, sizes)
    turns = Turns(world.settings, kills, np.random.default_rng(sizes.seed))
    turns.turn()
    with serve(world.models) as server:
        world.write_settings(server.url)
        teller = _Teller(world, turns, server.url)
        days = [teller.day(number) for number in range(1, sizes.cycles + 1)]
        newcomers = _newcomers(teller, sizes.cycles) if with_newcomers else None
    return Story(
        sizes=sizes,
        kills=turns.killed,
        seconds=time.monotonic() - start,
        turn_s=turns.seconds,
        days=[_row(day) for day in days],
        versions=versions(world.settings),
        newcomers=newcomers,
    )


class _Teller:
    def __init__(self, world: World, turns: Turns, url: str) -> None:
        self.world, self._turns, self._url = world, turns, url

    def day(self, number: int) -> Day:
        """Turn the loop, but before the first day, and live through a day."""
        if number > 1:
            self._turns.turn()
        with FrozenRanker(self.world.models / "storefront" / "1", self.world.catalogue()) as first:
            day = live_through(self.world, number, self._url, first)
        print(f"day {number}: {_row(day)}", file=sys.stderr, flush=True)
        return day


def _newcomers(teller: _Teller, last: int) -> dict[str, Any]:
    came = Newcomers(teller.world.shop, teller.world.tally)
    days = [teller.day(number) for number in range(last + 1, last + 1 + WATCHED_DAYS)]
    return {
        "items": [came.items_in(day) for day in days],
        "cold visits": came.cold_visits(days[0]),
        "days": [_row(day) for day in days],
    }


def _row(day: Day) -> dict[str, Any]:
    means = {name: float(values.mean()) for name, values in day.expected.items()}
    return {
        "day": day.number,
        "version": day.version,
        "clicks": day.clicks / (PAGE * len(day.users)),
        "rates": {name: means[name] for name in (SERVED, *NAMES)},
        "share": means[SERVED] / means["oracle"],
        "ranked_share": means[RANKED] / means[AT_THOSE],
        "shares_by_clicks": {name: _share(day, chosen) for name, chosen in _by_clicks(day)},
    }


def _by_clicks(day: Day) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield visits by how many clicks of their users are known."""
    for name, low, high in (("0 to 4", 0, 4), ("5 to 19", 5, HISTORY - 1), ("20", HISTORY, HISTORY)):
        yield name, (low <= day.histories) & (day.histories <= high)


def _share(day: Day, chosen: NDArray[np.bool_]) -> float | None:
    if not chosen.any():
        return None
    return float(day.expected[SERVED][chosen].sum() / day.expected["oracle"][chosen].sum())
