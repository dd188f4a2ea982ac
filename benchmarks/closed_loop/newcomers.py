"""New items and new users: how a loop takes them in."""

from typing import Any

import numpy as np
import pyarrow as pa

from polyrank.train.datasets.storefront import Shop

from .day import SERVED, Day
from .rivals import NAMES
from .tally import Tally

LOVED, ORDINARY, USERS = 5, 5, 100
APPEAL = 2.5
"""Of the loved ones, in log-odds: more than all but a few items in a thousand have."""

WATCHED_DAYS = 4


class Newcomers:
    """Items and users that come late.

    Attributes:
        loved: item ids whose words say nothing of how much they are liked.
        ordinary: item ids whose words are worth what they are worth in other items.
        users: user ids.
    """

    def __init__(self, shop: Shop, tally: Tally) -> None:
        self.loved = _ids(shop.add_items(LOVED, appeal=APPEAL))
        self.ordinary = _ids(shop.add_items(ORDINARY))
        self.users = shop.add_users(USERS)
        tally.make_room(shop.items)

    def items_in(self, day: Day) -> dict[str, Any]:
        """Return how many of them a list has on average, beside the oracle's; but for the explored place."""
        groups = {"loved": self.loved, "ordinary": self.ordinary}
        return {
            name: {"served": _per_list(day.lists, ids), "oracle": _per_list(day.oracle_lists, ids)}
            for name, ids in groups.items()
        }

    def cold_visits(self, day: Day) -> dict[str, Any]:
        """Return the click rates of lists for new users of whom no click is known; None where none of them came."""
        cold = np.isin(day.users, self.users) & (day.histories == 0)
        rates = {name: float(day.expected[name][cold].mean()) if cold.any() else None for name in (SERVED, *NAMES)}
        return {"visits": int(cold.sum()), "rates": rates}


def _ids(added: pa.Table) -> np.ndarray:
    return np.asarray(added["item_id"].to_numpy())


def _per_list(lists: np.ndarray, ids: np.ndarray) -> float:
    return float(np.isin(lists[:, :-1], ids).sum(axis=1).mean())
