"""What the shop's titles, categories and tags are made of. Brands are invented."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

NOUNS = {
    "kitchen": ("kettle", "skillet", "ladle", "teapot", "grater"),
    "garden": ("trowel", "planter", "hose", "rake", "lantern"),
    "books": ("novel", "atlas", "cookbook", "almanac", "primer"),
    "toys": ("puzzle", "kite", "robot", "marbles", "yo-yo"),
    "sports": ("racket", "dumbbell", "whistle", "helmet", "jersey"),
    "office": ("stapler", "notebook", "binder", "pencil", "organiser"),
    "lighting": ("lamp", "spotlight", "candle", "dimmer", "torch"),
    "bedding": ("pillow", "quilt", "blanket", "mattress", "sheet"),
    "audio": ("speaker", "headphones", "microphone", "turntable", "amplifier"),
    "travel": ("suitcase", "backpack", "hammock", "tent", "compass"),
    "pets": ("leash", "aquarium", "scratcher", "kennel", "feeder"),
    "clothing": ("scarf", "cardigan", "mittens", "raincoat", "slippers"),
}
"""Words that name an item, by category."""

ADJECTIVES = (
    *("sturdy", "plain", "premium", "basic", "deluxe", "compact", "quiet", "heavy", "foldable", "vintage", "modern"),
    *("bright", "soft", "rustic", "sleek", "classic", "portable", "woven", "wooden", "steel", "copper", "striped"),
    *("travel-size", "limited"),
)

BRANDS = (
    *("aldrin", "bexley", "corvane", "dunmore", "elsig", "farrow", "gildor", "hestia", "ivarre", "jorun", "kelmo"),
    *("lumark", "mirelle", "norvik", "ostara", "pellin", "quorin", "rostel", "savena", "tarnow", "ulmer", "vexin"),
    *("wendel", "xanthe", "yorrel", "zephyr", "ambrel", "bruska", "celdan", "dravik", "estrin", "fenwick"),
)

TAGS = (
    *("new", "sale", "bestseller", "eco", "handmade", "gift", "imported", "organic", "refurbished", "waterproof"),
    *("lightweight", "recycled", "award", "exclusive", "seasonal", "clearance", "bundle", "local", "fragile", "giant"),
    *("mini", "washable", "vegan", "wireless", "engraved", "retro", "kids", "professional", "starter", "refill"),
    "collectable",
)
"""31, a prime: steps of any length visit each tag once."""

SEGMENTS = ("budget", "regular", "premium")
DEVICES = ("phone", "desktop", "tablet")


def named(names: Sequence[str], numbers: NDArray[np.int64]) -> "pa.Array":
    """Return text; null where the number is below 0."""
    import pyarrow as pa

    return pa.array(names).take(pa.array(numbers, mask=numbers < 0))
