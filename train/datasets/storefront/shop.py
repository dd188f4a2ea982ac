"""The simulated shop asked online: who comes, what a list shown to them brings, and which list would bring most."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import integer, is_number, shown
from polyrank.errors import ConfigError, DataError

from .catalog import make_catalog
from .clicks import Click, Clicks
from .funnel import Outcomes, make_outcomes, true_clicks
from .shoppers import make_shoppers
from .visits import DAY_S, Visits, hour_of, make_times, make_visitors
from .words import DEVICES, SEGMENTS, named

if TYPE_CHECKING:
    import pyarrow as pa

_MOST, _MOST_SHOWN = range(1, 1_000_001), "[1, 1000000]"
_TIMES, _TIMES_SHOWN = range(2**40), "[0, 2**40)"
_ITEMS, _USERS, _VISITS, _REACTIONS = range(1, 5)
"""Streams of random numbers, so that none depends on how many another has drawn."""

CLICK_S, RATING_S, PURCHASE_S = (1, 120), (60, 1_800), (60, 2_400)
"""From and up to how many seconds after the visit a click comes, and after the click a rating and a purchase: all
within 42 minutes of the visit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """A user who looks at a page.

    Attributes:
        request_id: of the page; the same visit of the same shop has the same.
        time_s: seconds since 1970.
        user: what is known of user and moment: `user_id`, `segment`, `history`, `hour`, `device`, as in the logs.
    """

    request_id: str
    time_s: int
    user: Mapping[str, Any]


class Shop:
    """The shop of `simulate`, asked online: with the same arguments the same items, users and probabilities.

    The caller chooses what is shown. What users do is decided by the seed, the request and the list, whatever else was
    asked before, in whatever order, however often. Histories grow with clicks.

    Args:
        users: how many, in [1, 1,000,000].
        items: how many, in [1, 1,000,000].
        seed: in [0, 2**63).

    Raises:
        ConfigError: an argument is out of its range.
    """

    def __init__(self, *, users: int = 1_000, items: int = 10_000, seed: int = 0) -> None:
        users, items = integer("users", users, _MOST, _MOST_SHOWN), integer("items", items, _MOST, _MOST_SHOWN)
        self._seed = integer("seed", seed, range(2**63), "[0, 2**63)")
        generator = np.random.default_rng(self._seed)  # as `batches` begins
        self._catalog, self._shoppers = make_catalog(items, generator), make_shoppers(users, generator)
        self._clicks = Clicks()

    @property
    def users(self) -> int:
        """How many there are; their ids are 1 to this."""
        return len(self._shoppers.segment)

    @property
    def items(self) -> int:
        """How many there are; their ids are 1 to this."""
        return len(self._catalog.category)

    def catalogue(self) -> "pa.Table":
        """Return all items: `item_id`, `title`, `title_words`, `category`, `price`, `tags`, `tag_weights`."""
        import pyarrow as pa

        return self._catalog.shown.add_column(0, "item_id", pa.array(np.arange(1, self.items + 1)))

    def add_items(self, count: int, *, appeal: float | None = None) -> "pa.Table":
        """Take new items into the catalogue; their words, tags and prices are worth what those of the others are.

        Args:
            count: how many, in [1, 1,000,000].
            appeal: log-odds that words, tags and luck together add to a click, of each; None draws the luck. Of the
                first items of a shop it has a mean near 0 and a standard deviation near 1.

        Returns:
            Their rows of the catalogue.

        Raises:
            ConfigError: an argument is out of its range.
        """
        count, before = integer("count", count, _MOST, _MOST_SHOWN), self.items
        if appeal is not None and not (is_number(appeal) and abs(appeal) <= 10):  # noqa: PLR2004 (odds of 22,000)
            raise ConfigError(f"appeal must be a number from -10 to 10, got {shown(appeal)}")
        self._catalog = make_catalog(count, self._generator(_ITEMS, before), self._catalog)
        if appeal is not None:
            self._catalog.appeal[before:] = appeal
        return self.catalogue().slice(before)

    def add_users(self, count: int) -> range:
        """Let new users come from now on, in [1, 1,000,000]; return their ids.

        Raises:
            ConfigError: `count` is out of its range.
        """
        count, before = integer("count", count, _MOST, _MOST_SHOWN), self.users
        self._shoppers = make_shoppers(count, self._generator(_USERS, before), self._shoppers)
        return range(before + 1, self.users + 1)

    def remember(self, logs: "pa.Table") -> None:
        """Take the clicks of simulated logs, with the columns of `simulate`, into the histories of later visits."""
        import pyarrow.compute as pc

        rows = logs.filter(pc.equal(logs["click"], 1)).select(["user_id", "time_s", "position", "item_id"])
        pages: dict[tuple[int, int], list[Click]] = {}
        for user, time_s, place, item in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            pages.setdefault((user, time_s), []).append(Click(time_s, place, item))
        for (user, time_s), clicks in pages.items():
            self._clicks.record(user, f"log-{time_s}", clicks)

    def visits(self, count: int, start_s: int, *, duration_s: int = DAY_S) -> Iterator[Visit]:
        """Yield visits in the order of their times, which follow the rush of a day.

        A visit's `history` is what its user clicked before it, among the reactions that were asked for until it is
        taken from the iterator: so take one, show a list, and let the shop react, before the next.

        Args:
            count: how many, in [1, 1,000,000].
            start_s: seconds since 1970, in [0, 2**40). The same start gives the same visits while no user is added.
            duration_s: none comes so many seconds after the start, or later; in [1, 2**40).

        Raises:
            ConfigError: an argument is out of its range.
        """
        count = integer("count", count, _MOST, _MOST_SHOWN)
        start_s = integer("start_s", start_s, _TIMES, _TIMES_SHOWN)
        duration_s = integer("duration_s", duration_s, _TIMES[1:], "[1, 2**40)")
        generator = self._generator(_VISITS, start_s)
        times = make_times(start_s, start_s + duration_s, count, generator)
        return self._visits(start_s, times, *make_visitors(count, self._shoppers, generator))

    def react(self, visit: Visit, item_ids: "Sequence[int] | NDArray[np.int64]") -> "pa.Table":
        """Show a list and return what comes of it, one row per event, as `polyrank join` takes outcomes.

        Args:
            visit: whom to show it to.
            item_ids: of the first place, the second, and so on; each once.

        Returns:
            `request_id`, `user_id` and `item_id`; `time` int64, seconds since 1970; `task`: `click`, `rating` or
            `purchase`; `value` float64, the stars of a rating, otherwise 1. Ordered by place.

        Raises:
            DataError: an item is not in the catalogue, or there twice; or the visit is of a user whom the shop lacks.
        """
        page = self._page(visit, item_ids)
        generator = self._generator(_REACTIONS, *visit.request_id.encode())
        outcomes = make_outcomes(page, self._catalog, self._shoppers, generator)
        seconds = visit.time_s + generator.integers(*CLICK_S, len(page.item), endpoint=True)
        places = np.flatnonzero(outcomes.click)
        clicks = [Click(int(seconds[place]), int(place), int(page.item[place]) + 1) for place in places]
        self._clicks.record(int(visit.user["user_id"]), visit.request_id, clicks)
        return _events(visit, page.item + 1, outcomes, seconds, generator)

    def best(self, visit: Visit, k: int) -> NDArray[np.int64]:
        """Return the ids of the `k` items that the user clicks most likely, the likeliest first, int64 [k].

        No list has a higher expected number of clicks, but for what places do to items that are nearly certain.

        Raises:
            ConfigError: `k` is not in [1, number of items].
            DataError: the visit is of a user whom the shop lacks.
        """
        k = integer("k", k, range(1, self.items + 1), f"[1, {self.items}]")
        chances = self.true_click(visit, np.arange(1, self.items + 1), place=1)
        return np.argsort(-chances, kind="stable")[:k] + 1

    def true_click(
        self, visit: Visit, item_ids: "Sequence[int] | NDArray[np.int64]", *, place: int | None = None
    ) -> NDArray[np.float64]:
        """Return the probability that each item of a list is clicked, float64 [n].

        Args:
            visit: who looks at it.
            item_ids: of the first place, the second, and so on; each once.
            place: of all items, from 1; None is that in the list.

        Raises:
            ConfigError: `place` is below 1.
            DataError: as in `react`.
        """
        page = self._page(visit, item_ids)
        if place is not None:
            place = integer("place", place, range(1, 2**31), "[1, 2**31)")
            page = dataclasses.replace(page, position=np.full_like(page.position, place))
        return true_clicks(page, self._catalog, self._shoppers)

    def _generator(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, *stream])

    def _visits(
        self, start_s: int, times: NDArray[np.int64], users: NDArray[np.int64], devices: NDArray[np.int64]
    ) -> Iterator[Visit]:
        segments = named(SEGMENTS, self._shoppers.segment[users]).to_pylist()
        hours = hour_of(times).tolist()
        for index, (time_s, user, device) in enumerate(zip(times.tolist(), users.tolist(), devices, strict=True)):
            row = {
                "user_id": user + 1,
                "segment": segments[index],
                "history": self._clicks.before(user + 1, time_s),
                "hour": hours[index],
                "device": DEVICES[device],
            }
            yield Visit(f"{start_s}-{index:06d}", time_s, row)

    def _page(self, visit: Visit, item_ids: "Sequence[int] | NDArray[np.int64]") -> Visits:
        """Check a list, and return it as rows."""
        items = np.asarray(item_ids, np.int64) - 1
        for index, item in enumerate(items):
            if not 0 <= item < self.items:
                raise DataError(f"item_ids[{index}] must be in [1, {self.items}], got {item + 1}")
        if len(np.unique(items)) < len(items):
            raise DataError(f"item_ids must hold each item once, got {shown(list(item_ids))}")
        user, count = visit.user["user_id"] - 1, len(items)
        if not 0 <= user < self.users:
            raise DataError(f"visit.user['user_id'] must be in [1, {self.users}], got {user + 1}")
        return Visits(
            time_s=np.full(count, visit.time_s),
            user=np.full(count, user),
            device=np.full(count, DEVICES.index(visit.user["device"])),
            position=np.arange(1, count + 1),
            item=items,
        )


def _events(
    visit: Visit,
    item_ids: NDArray[np.int64],
    outcomes: Outcomes,
    clicked_s: NDArray[np.int64],
    generator: np.random.Generator,
) -> "pa.Table":
    import pyarrow as pa

    count = len(item_ids)
    happened = np.stack([outcomes.click, outcomes.click, outcomes.purchase], axis=1)  # (n, 3)
    delays = [generator.integers(*limits, count, endpoint=True) for limits in (RATING_S, PURCHASE_S)]
    times = np.stack([clicked_s, *(clicked_s + delay for delay in delays)], axis=1)
    values = np.stack([np.ones(count), outcomes.rating, np.ones(count)], axis=1)
    places, tasks = np.nonzero(happened)
    return pa.table(
        {
            "request_id": pa.array([visit.request_id] * len(places), pa.string()),
            "user_id": pa.array([visit.user["user_id"]] * len(places), pa.int64()),
            "item_id": item_ids[places],
            "time": times[happened],
            "task": pa.array(("click", "rating", "purchase")).take(pa.array(tasks)),
            "value": values[happened],
        }
    )
