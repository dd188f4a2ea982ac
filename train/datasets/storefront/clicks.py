"""What each user clicked, request by request, for a shop that is asked online."""

from collections.abc import Sequence
from typing import NamedTuple

from .history import HISTORY


class Click(NamedTuple):
    """A click on an item; clicks order by time, those of the same second by place."""

    time_s: int
    place: int
    item_id: int


class Clicks:
    """Each user's clicks. Requests may be recorded in any order, and again: the last record of one counts."""

    def __init__(self) -> None:
        self._requests: dict[int, dict[str, Sequence[Click]]] = {}

    def record(self, user: int, request_id: str, clicks: Sequence[Click]) -> None:
        """Keep the clicks that a request brought."""
        self._requests.setdefault(user, {})[request_id] = clicks

    def before(self, user: int, time_s: int) -> list[int]:
        """Return the last `HISTORY` items that the user clicked before a time, newest first."""
        clicks = [click for of_request in self._requests.get(user, {}).values() for click in of_request]
        earlier = sorted(click for click in clicks if click.time_s < time_s)
        return [click.item_id for click in earlier[::-1][:HISTORY]]
