"""What users would see of a catalogue, if each were recommended the best of all its items.

Popularity bias and coverage: Abdollahpouri, Burke and Mobasher, Managing Popularity Bias in Recommender Systems with
Personalized Re-ranking, FLAIRS 2019; Gini's index of recommendations: Fleder and Hosanagar, Blockbuster Culture's Next
Rise or Fall, Management Science 55, 2009.
"""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.files import Progress

from .answered import combined
from .asking import ROWS_PER_CALL, Answer
from .findings import Catalogue

TOP_ITEMS = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Users:
    """Who is recommended something.

    Attributes:
        table: a row for each, with the columns of features of users and context, and `column`.
        column: names users.
    """

    table: pa.Table
    column: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Items:
    """What is recommended.

    Attributes:
        table: a row for each, with the columns of features of items, and `column`. A column that users have too is
            taken from here.
        column: names items.
        counts: int64 [N], rows of each, by which it is popular.
        logged: int64 [N], how many of the evaluated rows are its own.
        of_items: items that there are, of which these may be some.
    """

    table: pa.Table
    column: str
    counts: NDArray[np.int64]
    logged: NDArray[np.int64]
    of_items: int


def catalogue(
    answer: Answer,
    users: Users,
    items: Items,
    *,
    k: int,
    weights: Mapping[str, float],
    progress: Progress = lambda _done, _total: None,
) -> Catalogue:
    """Score every user with every item, and recommend each the best `k`; of equal scores the earlier item is better.

    Args:
        answer: answers rows; asked users times items of them, at most `ROWS_PER_CALL` at once.
        users: who.
        items: what.
        k: items for each user, 1 or more; all where there are fewer.
        weights: of tasks with one answer, whose weighted sum is the score.
        progress: is told how many rows are answered.

    Raises:
        DataError: there is no user or no item, or none of the evaluated rows is of these items.
    """
    for what, table in (("user", users.table), ("item", items.table)):
        if table.num_rows == 0:
            raise DataError(f"the rows name no {what}; choose another column of {what}s")
    if not items.logged.sum():
        raise DataError(f"no evaluated row has one of the {items.table.num_rows:,} items; draw items from these rows")
    count = items.table.num_rows
    k = min(k, count)
    best = np.concatenate([_best(scores, k) for scores in _scores(answer, users.table, items.table, weights, progress)])
    shown = np.bincount(best.ravel(), minlength=count)
    ranks = popularity(items.counts)
    return Catalogue(
        user=users.column,
        item=items.column,
        users=len(best),
        items=count,
        of_items=items.of_items,
        k=k,
        weights=dict(weights),
        coverage=float((shown > 0).mean()),
        possible_coverage=min(1.0, best.size / count),
        gini=gini(shown),
        possible_gini=gini(np.bincount(np.arange(best.size) % count, minlength=count)),
        popularity=float(np.average(ranks, weights=shown)),
        logged_popularity=float(np.average(ranks, weights=items.logged)),
        top_items=_top(items, shown, len(best)),
    )


def gini(counts: NDArray[np.int64]) -> float:
    """Return Gini's index of counts [N], one of them above 0: 0 where all are alike, `1 - 1 / N` where one has all.

    >>> gini(np.array([0, 0, 0, 8]))
    0.75
    """
    rising, size = np.sort(counts).astype(np.float64), len(counts)
    return float(((2 * np.arange(1, size + 1) - size - 1) * rising).sum() / (size * rising.sum()))


def popularity(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of all items that have fewer rows than each, those with as many, itself too, counted half.

    >>> popularity(np.array([5, 1, 5, 9])).tolist()
    [0.5, 0.125, 0.5, 0.875]
    """
    rising = np.sort(counts)
    fewer, not_more = np.searchsorted(rising, counts, "left"), np.searchsorted(rising, counts, "right")
    return np.asarray((fewer + not_more) / (2 * len(counts)), np.float64)


def _scores(
    answer: Answer, users: pa.Table, items: pa.Table, weights: Mapping[str, float], progress: Progress
) -> Iterator[NDArray[np.float64]]:
    """Give the scores of some users after another, float64 [U, N]."""
    total, done = users.num_rows * items.num_rows, 0
    own = users.select([name for name in users.column_names if name not in items.column_names])
    at_once = max(1, ROWS_PER_CALL // items.num_rows)
    for first in range(0, users.num_rows, at_once):
        some = own.slice(first, at_once)
        parts = []
        for start in range(0, items.num_rows, ROWS_PER_CALL):
            part = items.slice(start, ROWS_PER_CALL)
            parts.append(combined(answer(_pairs(some, part)), weights).reshape(-1, part.num_rows))
            done += parts[-1].size
            progress(done, total)
        yield np.concatenate(parts, axis=1)


def _pairs(users: pa.Table, items: pa.Table) -> pa.Table:
    """Return a row for each pair: the first user with every item, then the next."""
    pairs = users.take(np.repeat(np.arange(users.num_rows), items.num_rows))
    tiled = items.take(np.tile(np.arange(items.num_rows), users.num_rows))
    for name in tiled.column_names:
        pairs = pairs.append_column(name, tiled[name])
    return pairs


def _best(scores: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Return the places of the best items of each user, int64 [U, k]."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def _top(items: Items, shown: NDArray[np.int64], users: int) -> tuple[tuple[str, float], ...]:
    """Return the names of the items that are recommended most, with their share of the users."""
    places = np.argsort(-shown, kind="stable")[:TOP_ITEMS]
    names = items.table[items.column].take(places).to_pylist()
    return tuple(
        (str(name), float(shown[place]) / users) for name, place in zip(names, places, strict=True) if shown[place]
    )
