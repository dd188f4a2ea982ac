"""The shop's items."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .words import ADJECTIVES, BRANDS, NOUNS, TAGS

if TYPE_CHECKING:
    import pyarrow as pa

CATEGORIES = tuple(NOUNS)
VOCABULARY = (*BRANDS, *ADJECTIVES, *(noun for nouns in NOUNS.values() for noun in nouns))
MAX_TAGS = 4
POPULARITY_EXPONENT = 0.8
WORDS_PER_TITLE = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Effects:
    """What decides the worth of items, of those to come too.

    Attributes:
        level: float64 [C], mean log of the price of a category.
        words: float64 [V], log-odds that a word of the title adds to a click.
        tags: float64 [T], log-odds that a tag of weight 1 adds to a click.
    """

    level: NDArray[np.float64]
    words: NDArray[np.float64]
    tags: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Catalog:
    """Items, numbered from 0; item `i` has the id `i + 1`.

    Attributes:
        shown: `title`, `title_words`, `category`, `price`, `tags` and `tag_weights`, one row per item.
        category: int64 [N], position in `CATEGORIES`.
        appeal: float64 [N], log-odds that words, tags and luck add to a click.
        dearness: float64 [N], how far the log of the price lies from its category's, in standard deviations.
        popularity: float64 [N], how often an item is shown where no ranker chooses, up to a factor.
        effects: of words, tags and categories.
        by_category: int64 [N], items ordered by category.
        reach: float64 [N], cumulated popularity in the order of `by_category`.
        category_reach: float64 [C + 1], where each category begins in `reach`.
    """

    shown: "pa.Table"
    category: NDArray[np.int64]
    appeal: NDArray[np.float64]
    dearness: NDArray[np.float64]
    popularity: NDArray[np.float64]
    effects: Effects
    by_category: NDArray[np.int64]
    reach: NDArray[np.float64]
    category_reach: NDArray[np.float64]

    def pick(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the items that `places`, numbers below the sum of all popularity, fall on."""
        found = np.searchsorted(self.reach, places, side="right")
        return self.by_category[np.minimum(found, len(self.by_category) - 1)]


def make_catalog(items: int, generator: np.random.Generator, older: Catalog | None = None) -> Catalog:
    """Invent `items` items; where there are `older` ones, by the effects of those, and append them."""
    import pyarrow as pa

    category = generator.integers(0, len(CATEGORIES), items)
    dearness = generator.normal(size=items)
    level = generator.normal(3.2, 0.7, len(CATEGORIES)) if older is None else older.effects.level
    price = np.maximum(np.exp(level[category] + 0.6 * dearness).round(2), 0.01)
    words = generator.normal(0.0, 0.45, len(VOCABULARY)) if older is None else older.effects.words
    titles, worth = _titles(category, words, generator)
    pushes = generator.normal(0.0, 0.6, len(TAGS)) if older is None else older.effects.tags
    tags, push = _tags(items, pushes, generator)
    appeal = worth + push + generator.normal(0.0, 0.3, items)
    named = pa.DictionaryArray.from_arrays(pa.array(category, pa.int32()), pa.array(CATEGORIES)).cast(pa.string())
    shown = pa.table({**titles, "category": named, "price": price, **tags})
    facts = {"category": category, "appeal": appeal, "dearness": dearness, "popularity": _popularity(items, generator)}
    if older is not None:
        shown = pa.concat_tables([older.shown, shown])
        facts = {name: np.append(getattr(older, name), values) for name, values in facts.items()}
    return _shelved(shown, facts, Effects(level, words, pushes))


def _shelved(shown: "pa.Table", facts: dict[str, NDArray[Any]], effects: Effects) -> Catalog:
    """Order items by category, for `pick`."""
    category = facts["category"]
    by_category = np.argsort(category, kind="stable")
    reach = np.cumsum(facts["popularity"][by_category])
    starts = np.searchsorted(category[by_category], np.arange(len(CATEGORIES) + 1))
    category_reach = np.append(0.0, reach)[starts]
    return Catalog(shown, **facts, effects=effects, by_category=by_category, reach=reach, category_reach=category_reach)


def _popularity(items: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw how often each item is shown: float64 [N], a power law of its rank."""
    ranks = 1.0 + generator.permutation(items).astype(np.float64)
    return np.exp(-POPULARITY_EXPONENT * np.log(ranks))


def _titles(
    category: NDArray[np.int64], effects: NDArray[np.float64], generator: np.random.Generator
) -> "tuple[dict[str, pa.Array], NDArray[np.float64]]":
    """Make a title of brand, adjective and noun for each item, and the log-odds that its words are worth."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count, nouns = len(category), len(NOUNS[CATEGORIES[0]])
    words = np.empty((count, WORDS_PER_TITLE), np.int64)
    words[:, 0] = generator.integers(0, len(BRANDS), count)
    words[:, 1] = len(BRANDS) + generator.integers(0, len(ADJECTIVES), count)
    words[:, 2] = len(BRANDS) + len(ADJECTIVES) + nouns * category + generator.integers(0, nouns, count)
    texts = pa.array(VOCABULARY).take(pa.array(words.ravel()))
    lists = pa.ListArray.from_arrays(pa.array(WORDS_PER_TITLE * np.arange(count + 1), pa.int32()), texts)
    titles = {"title": pc.utf8_capitalize(pc.binary_join(lists, " ")), "title_words": lists}
    return titles, effects[words].sum(axis=1)


def _tags(
    items: int, effects: NDArray[np.float64], generator: np.random.Generator
) -> "tuple[dict[str, pa.Array], NDArray[np.float64]]":
    """Give each item up to `MAX_TAGS` different tags with weights in (0, 1], and the log-odds that they are worth."""
    import pyarrow as pa

    count = generator.integers(0, MAX_TAGS + 1, items)
    start, step = generator.integers(0, len(TAGS), items), generator.integers(1, len(TAGS), items)
    numbers = (start[:, None] + step[:, None] * np.arange(MAX_TAGS)) % len(TAGS)
    weights = generator.integers(1, 101, (items, MAX_TAGS)) / 100.0
    has = np.arange(MAX_TAGS) < count[:, None]
    offsets = pa.array(np.append(0, np.cumsum(count)), pa.int32())
    texts = pa.array(TAGS).take(pa.array(numbers[has]))
    tags = {
        "tags": pa.ListArray.from_arrays(offsets, texts),
        "tag_weights": pa.ListArray.from_arrays(offsets, pa.array(weights[has], pa.float32())),
    }
    return tags, (effects[numbers] * weights * has).sum(axis=1)
