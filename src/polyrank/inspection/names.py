"""What names of columns suggest. Guesses, each told beside what was made of it."""

import re

from polyrank.features import Side
from polyrank.schema import WIRE_NAMES

_OUTCOMES = frozenset(
    [
        "click",
        "clicked",
        "like",
        "liked",
        "love",
        "loved",
        "follow",
        "followed",
        "comment",
        "commented",
        "forward",
        "forwarded",
        "share",
        "shared",
        "purchase",
        "purchased",
        "buy",
        "bought",
        "conversion",
        "convert",
        "converted",
        "install",
        "installed",
        "order",
        "ordered",
        "view",
        "viewed",
        "watched",
        "skip",
        "skipped",
        "hate",
        "save",
        "saved",
        "label",
        "target",
        "rating",
        "rated",
        "stars",
        "outcome",
    ]
)
_MEASURED = ("play_time", "watch_time", "watch_ratio", "dwell", "revenue", "true_", "view_time", "time_spent")
"""What is measured of a user, at the beginning of a name or of a word in it."""

_HISTORIES = frozenset(["history", "hist", "seq", "sequence", "recent", "past", "previous", "last"])
_SPLITS = frozenset(["fold", "split", "part", "fnlwgt"])
_CODES = frozenset(
    ["id", "code", "type", "tab", "hour", "weekday", "zip", "feat", "onehot", "position", "recode", "category", "class"]
)
_AMOUNTS = frozenset(
    [
        "num",
        "count",
        "age",
        "price",
        "duration",
        "days",
        "amount",
        "year",
        "years",
        "ms",
        "seconds",
        "score",
        "weeks",
        "hours",
    ]
)
_USERS = frozenset(["user", "member", "customer", "viewer", "account", "person", "visitor"])
_SIDES: dict[Side, frozenset[str]] = {
    "user": frozenset(
        [
            "user",
            "member",
            "customer",
            "viewer",
            "account",
            "person",
            "age",
            "gender",
            "sex",
            "occupation",
            "history",
            "segment",
        ]
    ),
    "item": frozenset(
        [
            "item",
            "video",
            "movie",
            "product",
            "article",
            "author",
            "music",
            "ad",
            "doc",
            "song",
            "track",
            "book",
            "sku",
            "tags",
            "genres",
            "category",
            "price",
            "title",
            "release",
            "brand",
            "upload",
            "duration",
        ]
    ),
    "context": frozenset(["hour", "weekday", "device", "position", "tab", "page"]),
}


def looks_like_outcome(name: str) -> bool:
    """Say whether a name is that of what a user did, as in is_click or play_time_ms."""
    words = _words(name)
    told = words[1:] if words[:1] == ["is"] else words
    return "_".join(told) == "long_view" or (len(told) == 1 and told[0] in _OUTCOMES) or _is_measured(name)


def names_a_user(name: str) -> bool:
    """Say whether a name is that of the column that tells users apart, as in user_id or customer."""
    words = _words(name)
    return words[:1] != [] and words[0] in _USERS and words[1:] in ([], ["id"], ["key"], ["uuid"])


def looks_like_weight(name: str) -> bool:
    """Say whether a name is that of a sample weight, or of a side of a split."""
    words = _words(name)
    return words[-1:] in (["weight"], ["weights"]) or (len(words) == 1 and words[0] in _SPLITS)


def looks_like_history(name: str) -> bool:
    """Say whether a list of that name is in order of time."""
    return bool(_HISTORIES & set(_words(name)))


def looks_like_code(name: str) -> bool:
    """Say whether an integer of that name is rather a category than an amount."""
    return bool(_CODES & set(re.sub(r"\d+", "", name.lower()).split("_"))) or bool(_CODES & set(_words(name)))


def looks_like_amount(name: str) -> bool:
    """Say whether an integer of that name is rather an amount than a category."""
    return bool(_AMOUNTS & set(_words(name)))


def side_of(name: str) -> Side | None:
    """Return the side that a name suggests: that of its first word, or of any; None without a hint."""
    words = _words(name)
    by_word: dict[str, Side] = {word: side for side, known in _SIDES.items() for word in known}
    return next((by_word[word] for word in words if word in by_word), None)


def task_name(label: str, taken: list[str]) -> str:
    """Return a name for the task of a label, other than those that are taken."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", label.removeprefix("is_")) or "task"
    if name[0].isdigit() or name in WIRE_NAMES:
        name = f"task_{name}"
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789')}{number}", number + 1
    return name


def schema_name(stem: str) -> str:
    """Return a name for a schema, after the file's."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", stem).strip("-_")
    return name or "ranker"


def _is_measured(name: str) -> bool:
    return any(name.lower().startswith(one) or f"_{one}" in name.lower() for one in _MEASURED)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
