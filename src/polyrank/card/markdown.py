"""Markdown in which names from data are text, whatever they hold."""

import re
from collections.abc import Iterable, Iterator, Sequence

_PLAIN = re.compile(r"[\w.:/@%+-]+( [\w.:/@%+-]+)*")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def code(name: object) -> str:
    r"""Return a name: as code where it is words, else with every character that Markdown gives a meaning escaped.

    >>> print(code("user_id"), code("a|b"))
    `user_id` a\|b
    """
    text = str(name) or '""'
    return f"`{text}`" if _PLAIN.fullmatch(text) else escaped(text)


def escaped(text: str) -> str:
    r"""Return text of one line, in which no character has a meaning to Markdown.

    >>> print(escaped("a|b of one class"))
    a\|b of one class
    """
    shown = _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return _PUNCTUATION.sub(r"\\\g<0>", shown)


def listed(names: Iterable[object]) -> str:
    """Return names, parted by commas."""
    return ", ".join(map(code, names))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Give the lines of a table of cells that are Markdown without line ends; what is no word is from `code`."""
    yield ""
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)
    yield ""


def bullets(points: Iterable[str]) -> Iterator[str]:
    """Give the lines of a list."""
    yield ""
    yield from (f"* {point}" for point in points)
    yield ""


def section(title: str, *parts: Iterable[str], level: int = 2) -> Iterator[str]:
    """Give a heading and what is below it."""
    yield ""
    yield f"{'#' * level} {title}"
    yield ""
    for part in parts:
        yield from part


def document(lines: Iterable[str]) -> str:
    """Join lines, without empty ones beside one another."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
