"""Lists to compare with, for the same visitors: of no policy, of popularity, of the first version and of an oracle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.serving import LocalRanker
from polyrank.train.datasets.storefront import Shop, Visit

from .world import PAGE

Ids = NDArray[np.int64]
Lists = dict[str, Ids]
NAMES = ("oracle", "first version", "popularity", "random")
_TOGETHER = 50
"""Visits that the first version answers at once."""
_KINDS = {"history": pa.list_(pa.int64()), "segment": pa.string(), "device": pa.string()}


class FrozenRanker:
    """A version that never learns again, asked in this process."""

    def __init__(self, version: Path, catalogue: pa.Table) -> None:
        self._ranker, self._items = LocalRanker(version, threads=1), catalogue
        columns = self._ranker.signature.schema.feature_columns
        self._user_columns = [name for name in columns if name not in catalogue.column_names]

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End its threads."""
        self._ranker.close()

    def best(self, visits: Sequence[Visit], count: int) -> Ids:
        """Return the ids of the items with the highest probability of a click, int64 [visits, count]."""
        chunks = [visits[start : start + _TOGETHER] for start in range(0, len(visits), _TOGETHER)]
        return np.concatenate([self._best(chunk, count) for chunk in chunks])

    def _best(self, visits: Sequence[Visit], count: int) -> Ids:
        size = len(self._items)
        rows = self._items.take(pa.array(np.tile(np.arange(size), len(visits))))
        of_visit = pa.array(np.repeat(np.arange(len(visits)), size))
        for name in self._user_columns:
            values = pa.array([1 if name == "position" else each.user[name] for each in visits], _KINDS.get(name))
            rows = rows.append_column(name, values.take(of_visit))
        chances = self._ranker.score(rows)["click"].to_numpy().reshape(len(visits), size)
        best = np.argsort(-chances, axis=1, kind="stable")[:, :count]
        return self._items["item_id"].to_numpy()[best]


def lists_of(shop: Shop, visits: Sequence[Visit], popular: Ids, first: FrozenRanker, seed: Sequence[int]) -> Lists:
    """Return the lists of each rival for some visits, item ids [visits, PAGE].

    Args:
        shop: that the oracle knows.
        visits: who comes.
        popular: the most popular items [PAGE].
        first: the first version.
        seed: of random lists.
    """
    random = np.random.default_rng(seed)
    at_random = [random.choice(shop.items, PAGE, replace=False) + 1 for _ in visits]
    return {
        "oracle": np.stack([shop.best(visit, PAGE) for visit in visits]),
        "first version": first.best(visits, PAGE),
        "popularity": np.tile(popular, (len(visits), 1)),
        "random": np.stack(at_random),
    }


def chances(shop: Shop, visits: Sequence[Visit], lists: Ids) -> NDArray[np.float64]:
    """Return the probability of a click at each place, float64 [visits, PAGE]."""
    return np.stack([shop.true_click(visit, each) for visit, each in zip(visits, lists, strict=True)])
