"""Who is recommended what, to see what users would see of all items."""

from collections.abc import Mapping

import numpy as np

from polyrank.halves import columns_of_halves

from .answered import Answerer
from .catalogue import Items, Users, catalogue
from .findings import Catalogue
from .keys import Keys
from .options import EvaluationOptions
from .reading import ReadRows

MAX_ITEMS = 50_000
"""Of more items so many are drawn."""

MAX_PAIRS = 1_000_000
"""Of users and items; where items are many, users are fewer."""

MIN_USERS = 10


def recommendations(
    answerer: Answerer,
    read: ReadRows,
    keys: Keys,
    options: EvaluationOptions,
    weights: Mapping[str, float],
    generator: np.random.Generator,
) -> Catalogue | None:
    """Recommend the best of all items to some users of the answered rows.

    Returns:
        None where it is not wanted, where no column names users or items or one names both, where all features are of
        one side, or where there are no more items than are recommended to each.
    """
    users, items = read.last_users, read.last_items
    if not (options.catalogue_users and weights and keys.user and keys.item) or users is None or items is None:
        return None
    if keys.user == keys.item:
        return None
    assert read.users is not None  # noqa: S101 (as there are last rows)
    assert read.items is not None  # noqa: S101
    user_columns, item_columns = columns_of_halves(answerer.schema)
    num_items = items.table().num_rows
    if num_items <= options.k or not item_columns or not user_columns:
        return None
    chosen = np.sort(generator.permutation(num_items)[:MAX_ITEMS])
    num_users = min(options.catalogue_users, max(MIN_USERS, MAX_PAIRS // len(chosen)))
    present = np.unique(users.places(read.users[read.users >= 0]))
    logged = np.bincount(items.places(read.items[read.items >= 0]), minlength=num_items)[chosen]
    if not len(present) or not logged.any():
        return None
    drawn = np.sort(generator.permutation(present)[:num_users])
    return catalogue(
        answerer.answer,
        Users(
            table=users.table().take(drawn).select(list(dict.fromkeys((keys.user, *user_columns)))), column=keys.user
        ),
        Items(
            table=items.table().take(chosen).select(list(dict.fromkeys((keys.item, *item_columns)))),
            column=keys.item,
            counts=items.counts[chosen],
            logged=logged,
            of_items=num_items,
        ),
        k=options.k,
        weights=weights,
        progress=lambda done, total: options.progress("recommend", done, total),
    )
