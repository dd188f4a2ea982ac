"""Who sees what, when, and where on the page."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from .catalog import CATEGORIES, Catalog
from .shoppers import Shoppers
from .words import DEVICES

PAGE = 10
"""Items on a page: the rows of one visit."""
FIRST_TIME_S = 1_704_067_200  # 2024-01-01, UTC
DAY_S = 86_400
DAYS = 30
FAITHFUL_SHARE = 0.8
BROWSING_SHARE = 0.6
_HOURS = np.arange(25)
_RATE = 1.0 - 0.8 * np.cos(2.0 * np.pi * (_HOURS[:-1] - 3.0) / 24.0)  # calm at three in the night
_SHARE_OF_DAY = np.append(0.0, np.cumsum(_RATE) / _RATE.sum())


@dataclasses.dataclass(frozen=True, slots=True)
class Visits:
    """Rows, oldest first; int64 [B] each.

    Attributes:
        time_s: seconds since 1970; the rows of a page share it.
        user: number of the user.
        device: position in `DEVICES`.
        position: place on the page, from 1.
        item: number of the item.
    """

    time_s: NDArray[np.int64]
    user: NDArray[np.int64]
    device: NDArray[np.int64]
    position: NDArray[np.int64]
    item: NDArray[np.int64]


def make_visits(
    pages: range, all_pages: int, catalog: Catalog, shoppers: Shoppers, generator: np.random.Generator
) -> Visits:
    """Invent the visits numbered `pages` of the month's `all_pages`, each a page of `PAGE` items."""
    count = len(pages)
    days = DAYS * (np.asarray(pages) + generator.random(count)) / all_pages
    time_s = FIRST_TIME_S + np.minimum(_seconds(days), DAYS * DAY_S - 1)
    user, device = make_visitors(count, shoppers, generator)
    users = np.repeat(user, PAGE)
    return Visits(
        time_s=np.repeat(time_s, PAGE),
        user=users,
        device=np.repeat(device, PAGE),
        position=np.tile(np.arange(1, PAGE + 1), count),
        item=_items(users, catalog, shoppers, generator),
    )


def make_visitors(
    count: int, shoppers: Shoppers, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw who comes and on which device: numbers of users and of devices, int64 [count] each."""
    user = np.searchsorted(shoppers.activity, generator.random(count), side="right")
    faithful = generator.random(count) < FAITHFUL_SHARE
    return user, np.where(faithful, shoppers.device[user], generator.integers(0, len(DEVICES), count))


def make_times(start_s: int, stop_s: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw times of visits that follow the rush of a day, int64 [count], ascending, in [start_s, stop_s).

    Args:
        start_s: seconds since 1970.
        stop_s: seconds since 1970, above `start_s`.
        count: how many.
        generator: of the draws.
    """
    start, stop = (_even_days(time_s) for time_s in (start_s, stop_s))
    days = start + (stop - start) * (np.arange(count) + generator.random(count)) / max(count, 1)
    return np.clip(_seconds(days), start_s, stop_s - 1)


def hour_of(time_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the hour of the day, 0 to 23, UTC."""
    return time_s % DAY_S // 3600


def _seconds(days: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn even times, in days since a midnight, into seconds since it that follow the rush of a day, in order."""
    day, share = np.divmod(days, 1.0)
    within = np.interp(share, _SHARE_OF_DAY, _HOURS) / 24.0
    return (DAY_S * (day + within)).astype(np.int64)


def _even_days(time_s: int) -> float:
    """Return the days since 1970 that `_seconds` turns into `time_s`."""
    day, second = divmod(time_s, DAY_S)
    return day + float(np.interp(second / 3600.0, _HOURS, _SHARE_OF_DAY))


def _items(
    user: NDArray[np.int64], catalog: Catalog, shoppers: Shoppers, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw items by popularity: from the whole shop, or from a category that the user likes."""
    anywhere, within = generator.random(len(user)) * catalog.reach[-1], generator.random(len(user))
    drawn = np.searchsorted(shoppers.browsing, user + generator.random(len(user)), side="right")
    category = np.minimum(drawn - user * len(CATEGORIES), len(CATEGORIES) - 1)
    low, high = catalog.category_reach[category], catalog.category_reach[category + 1]
    browses = generator.random(len(user)) < BROWSING_SHARE
    return catalog.pick(np.where(browses, low + within * (high - low), anywhere))
