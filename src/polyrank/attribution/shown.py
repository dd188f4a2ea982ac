"""What a join needs to know of impressions: when, to whom, what, and in which request."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.impressions import RANK, REQUEST_ID, SHOWN_AT
from polyrank.schema import Schema
from polyrank.table import numbers

from .instants import InstantColumn, Instants
from .keys import KeyColumn, Keys, keys_in, pair
from .matching import Places, first_of_each

if TYPE_CHECKING:
    import pyarrow as pa

Texts = Callable[[Places], Sequence[str]]
"""Gives rows, by their places, as text."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """Impressions, [N] each, in the order of `shown_at`, `request_id` and `rank`, without repeated ones.

    Attributes:
        places: where they are in what was read.
        times: when they were shown.
        by_request: keys of request and item; -1 without a request id.
        by_user: keys of user and item; -1 without a user.
        items: keys of items.
    """

    places: Places
    times: Instants
    by_request: Keys
    by_user: Keys
    items: Keys

    def __len__(self) -> int:
        """Return N."""
        return len(self.places)

    def __getitem__(self, rows: Places | NDArray[np.bool_]) -> "Shown":
        """Pick rows."""
        return Shown(self.places[rows], self.times[rows], self.by_request[rows], self.by_user[rows], self.items[rows])


class ShownReader:
    """Reads impressions, a piece at a time."""

    def __init__(self, schema: Schema, item: str, user: str | None) -> None:
        self._times = InstantColumn(SHOWN_AT, schema)
        self._item, self._request = KeyColumn(item, schema), KeyColumn(REQUEST_ID, schema)
        self._user = None if user is None else KeyColumn(user, schema)
        self._pieces: list[tuple[NDArray[Any], ...]] = []
        self._requests: list[Any] = []

    def add(self, table: "pa.Table") -> None:
        """Read the next rows.

        Raises:
            DataError: a value is none of its column; a `RowError` says in which row.
        """
        import pyarrow as pa

        rows, present = table.num_rows, set(table.column_names)
        items = self._item.read(table[self._item.name])
        requests, users = keys_in(table, self._request), keys_in(table, self._user)
        ranks = numbers(table[RANK], RANK) if RANK in present else np.zeros(rows, np.float32)
        self._pieces.append(
            (self._times.read(table[SHOWN_AT]), ranks, items, pair(requests, items), pair(users, items))
        )
        texts = table[REQUEST_ID] if REQUEST_ID in present else pa.chunked_array([pa.nulls(rows)])
        self._requests += texts.cast(pa.large_string()).dictionary_encode().chunks

    def finish(self, texts: Texts) -> tuple[Shown, int]:
        """Return impressions in their order, and how many repeated ones are left out.

        Without request ids, an item shown to a user twice at one time was shown once.

        Args:
            texts: gives rows that are alike in all that orders them.
        """
        columns = list(zip(*self._pieces, strict=True))
        self._pieces.clear()
        # Each column of pieces goes before the next is joined.
        times, ranks, items, by_request, by_user = (np.concatenate(columns.pop(0)) for _ in range(len(columns)))
        by = (by_user, items, ranks, _places(self._requests), times)
        order = _settled(np.lexsort(by), by, texts)
        shown = Shown(order, times[order], by_request[order], by_user[order], items[order])
        kept = shown[first_of_each(shown.by_request)]
        alone = np.where(kept.by_request < 0, pair(kept.by_user, kept.times), -1)
        kept = kept[first_of_each(alone)]
        return kept, len(shown) - len(kept)


def _places(requests: Sequence[Any]) -> NDArray[np.int64]:
    """Return the place of each request id among all in the order of text, int64 [N]; missing ones are the last.

    Args:
        requests: chunks of texts in dictionaries.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = pa.chunked_array(requests).unify_dictionaries().combine_chunks()
    ranks: NDArray[np.int64] = pc.rank(encoded.dictionary, tiebreaker="dense").to_numpy().astype(np.int64)
    indices = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    places: NDArray[np.int64] = np.append(ranks, len(ranks) + 1)[indices]
    return places


def _settled(order: Places, by: Sequence[NDArray[Any]], texts: Texts) -> Places:
    """Order rows that are alike in all that orders them by their text, so that no order of files decides."""
    ordered = np.stack([np.concatenate([[True], each[order][1:] != each[order][:-1]]) for each in by])
    runs = np.cumsum(ordered.any(axis=0))
    tied = np.flatnonzero(np.bincount(runs)[runs] > 1)
    if not len(tied):
        return order
    rows = list(zip(runs[tied].tolist(), texts(order[tied]), strict=True))
    by_text = np.array(sorted(range(len(rows)), key=rows.__getitem__))
    settled = order.copy()
    settled[tied] = order[tied][by_text]
    return settled
