"""A day of the application: visitors come, the ranker ranks, something is explored, the log is written."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyrank.serving import ClientOptions, ImpressionLog, Ranker
from polyrank.train.datasets.storefront import Visit

from .rivals import NAMES, FrozenRanker, Lists, chances, lists_of
from .tally import Tally
from .world import DAY_S, PAGE, START_S, World

SERVED, RANKED, AT_THOSE = "served", "ranked places", "oracle at those"
"""Lists as they were shown; the places that the ranker filled; and what an oracle would have had there."""

PATIENCE = ClientOptions(hedge_after_s=1.0)
"""A request that has no answer for so long is sent a second time, as an application would."""


@dataclasses.dataclass
class Day:
    """What a day brought.

    Attributes:
        number: from 1.
        version: that answered.
        expected: by list, the mean probability of a click at its places in each visit, float64 [visits] each.
        lists: the shown item ids, int64 [visits, PAGE]; `oracle_lists` likewise.
        oracle_lists: what the oracle would have shown.
        users: who came, int64 [visits].
        histories: how many clicks were known of them, int64 [visits].
        clicks: how many there were.
    """

    number: int
    version: str
    expected: dict[str, NDArray[np.float64]]
    lists: NDArray[np.int64]
    oracle_lists: NDArray[np.int64]
    users: NDArray[np.int64]
    histories: NDArray[np.int64]
    clicks: int


class Clock:
    """The time of the simulation, in seconds since 1970."""

    now_s = float(START_S)

    def __call__(self) -> float:
        """Return it."""
        return self.now_s


class Explorer:
    """Gives the last place of some lists to an item that the ranker did not choose.

    A model learns nothing of what it never shows, and shows nothing that it does not know. So the last place, which
    costs least, goes to an item that came this day, as long as there is one; and otherwise, in a share of visits, to
    any. Items are drawn with a weight of 1 / (1 + times shown).
    """

    def __init__(self, tally: Tally, share: float, random: np.random.Generator) -> None:
        self._tally, self._share, self._random = tally, share, random

    def places(self, ranked: NDArray[np.int64]) -> tuple[NDArray[np.int64], bool]:
        """Return the rows of a ranking to show, and whether the last is explored.

        Args:
            ranked: item ids, the best first.
        """
        places = np.arange(PAGE)
        rest = ranked[PAGE:]
        is_new = self._tally.is_new[rest]
        if not is_new.any() and self._random.random() >= self._share:
            return places, False
        weights = np.where(is_new | (not is_new.any()), 1.0 / (1.0 + self._tally.shown[rest].sum(1)), 0.0)
        places[-1] = PAGE + self._random.choice(len(rest), p=weights / weights.sum())
        return places, True


@dataclasses.dataclass(frozen=True)
class Served:
    """What was shown on a day.

    Attributes:
        version: that answered.
        visits: who came.
        lists: shown item ids, int64 [visits, PAGE].
        explored: whether the last place was, bool [visits].
        events: what users did.
    """

    version: str
    visits: list[Visit]
    lists: NDArray[np.int64]
    explored: NDArray[np.bool_]
    events: pa.Table


def live_through(world: World, number: int, url: str, first: FrozenRanker) -> Day:
    """Serve the visits of a day, write impressions and outcomes, and compare with what others would have shown."""
    popular = world.tally.popular(PAGE)
    served = _serve(world, number, url)
    world.write_outcomes(number, served.events)
    world.tally.is_new[:] = False
    lists = lists_of(world.shop, served.visits, popular, first, (world.sizes.seed, number))
    return _compared(world, number, served, lists)


def _serve(world: World, number: int, url: str) -> Served:
    random = np.random.default_rng([world.sizes.seed, number])
    explorer, clock = Explorer(world.tally, world.sizes.explored, random), Clock()
    visits, lists, explored, events = [], [], [], []
    with Ranker(url, options=PATIENCE) as ranker, ImpressionLog(world.impressions, clock=clock) as log:
        items = ranker.items(world.catalogue(), key="item_id")
        for visit in world.shop.visits(world.sizes.visits, START_S + (number - 1) * DAY_S):
            clock.now_s = float(visit.time_s)
            user = {**visit.user, "position": 1}
            ranking = ranker.rank(user, items, weights={"click": 1.0}, request_id=visit.request_id)
            places, is_explored = explorer.places(ranking["item_id"].to_numpy())
            answer = ranking.take(pa.array(places))
            log.shown(answer, user=user, items=items)
            ids = answer["item_id"].to_numpy()
            happened = world.shop.react(visit, ids)
            world.tally.add(ids, np.arange(PAGE), np.isin(ids, _clicked(happened)))
            visits.append(visit)
            lists.append(ids)
            explored.append(is_explored)
            events.append(happened)
        return Served(ranker.version, visits, np.stack(lists), np.array(explored), pa.concat_tables(events))


def _clicked(events: pa.Table) -> NDArray[np.int64]:
    ids: NDArray[np.int64] = events.filter(pc.field("task") == "click")["item_id"].to_numpy()
    return ids


def _compared(world: World, number: int, served: Served, lists: Lists) -> Day:
    by_place = {name: chances(world.shop, served.visits, lists[name]) for name in NAMES}
    by_place[SERVED] = chances(world.shop, served.visits, served.lists)
    kept = np.ones_like(served.lists, bool)
    kept[:, -1] = ~served.explored
    expected = {name: values.mean(axis=1) for name, values in by_place.items()}
    for name, of in ((RANKED, SERVED), (AT_THOSE, "oracle")):
        expected[name] = np.where(kept, by_place[of], 0.0).sum(axis=1) / kept.sum(axis=1)
    return Day(
        number=number,
        version=served.version,
        expected=expected,
        lists=served.lists,
        oracle_lists=lists["oracle"],
        users=np.array([visit.user["user_id"] for visit in served.visits]),
        histories=np.array([len(visit.user["history"]) for visit in served.visits]),
        clicks=len(_clicked(served.events)),
    )
