"""A simulated shop: users see items, click, rate and buy, with probabilities that are known.

Items are shown by a power law of popularity and by the user's taste, ten on a page. A click depends on words of the
title, weighted tags, the user's taste for the category, price and how much the user minds it, place on the page, device
and hour. So the best possible answer to every row is in the row, and with it the best possible AUC.
"""

from typing import TYPE_CHECKING

import numpy as np

from polyrank.arguments import integer

from .best import best_possible
from .catalog import make_catalog
from .history import ClickHistory
from .rows import row_batch
from .shop import Shop, Visit
from .shoppers import make_shoppers
from .visits import PAGE, make_visits

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

__all__ = ["OUTCOMES", "Shop", "Visit", "batches", "best_possible", "simulate"]

OUTCOMES = ("click", "rating", "purchase", "true_click", "true_rating", "true_purchase")
"""Columns that are known only after the item was shown, or never: no features."""
PAGES_PER_BATCH = 20_000


def simulate(rows: int, *, users: int = 1_000, items: int = 10_000, seed: int = 0) -> "pa.Table":
    """Return `rows` rows as one table; see `batches`."""
    import pyarrow as pa

    return pa.Table.from_batches(batches(rows, users=users, items=items, seed=seed))


def batches(rows: int, *, users: int = 1_000, items: int = 10_000, seed: int = 0) -> "Iterator[pa.RecordBatch]":
    """Simulate a month of the shop, oldest row first, up to 200,000 rows at a time.

    A row is one item shown to one user:

    * `time_s` int64, seconds since 1970, shared by the ten rows of a page; `hour` of the day, 0 to 23;
    * `user_id` int64, 1 to `users`; `segment` text, null for one user in twenty; `device` text; `position` 1 to 10;
    * `item_id` int64, 1 to `items`; `title` text; `title_words` list of text; `category` text; `price` float64, in the
      shop's currency; `tags` list of up to 4 texts; `tag_weights` list of as many float32 in (0, 1];
    * `history` list of up to 20 `item_id` that the user clicked at earlier times, newest first;
    * `click` 0 or 1; `rating` 1 to 5 stars, null without a click; `purchase` 0 or 1, never without a click;
    * `true_click` P(click), `true_rating` expected stars if clicked, `true_purchase` P(purchase) of the row; float64.

    Args:
        rows: how many, in [1, 2**31).
        users: how many, in [1, 1,000,000].
        items: how many, in [1, 1,000,000].
        seed: in [0, 2**63); the same arguments give the same rows.

    Raises:
        ConfigError: an argument is no integer in its range.
    """
    most, most_shown = range(1, 1_000_001), "[1, 1000000]"
    return _batches(
        integer("rows", rows, range(1, 2**31), "[1, 2**31)"),
        integer("users", users, most, most_shown),
        integer("items", items, most, most_shown),
        integer("seed", seed, range(2**63), "[0, 2**63)"),
    )


def _batches(rows: int, users: int, items: int, seed: int) -> "Iterator[pa.RecordBatch]":
    generator = np.random.default_rng(seed)
    catalog, shoppers, history = make_catalog(items, generator), make_shoppers(users, generator), ClickHistory()
    all_pages = -(-rows // PAGE)
    for start in range(0, all_pages, PAGES_PER_BATCH):
        pages = range(start, min(start + PAGES_PER_BATCH, all_pages))
        visits = make_visits(pages, all_pages, catalog, shoppers, generator)
        yield row_batch(visits, catalog, shoppers, history, generator).slice(0, rows - start * PAGE)
