"""Pages of documentation as tests read them: their blocks of code, links and headings."""

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of code: its language, its text, and the line of the page that opens it."""

    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """Return every page that strangers read, in the order of their paths."""
    below = [*DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md"), *(ROOT / "model_repository").glob("*.md")]
    return sorted([*ROOT.glob("*.md"), *below])


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    tokens = _MARKDOWN.parse(page.read_text())
    return [
        Block(token.info.strip(), token.content, 1 + (token.map or [0])[0]) for token in tokens if token.type == "fence"
    ]


def block_counts(page: Path) -> dict[str, int]:
    """Count the elements that CommonMark finds on a page, by the name of their HTML."""
    html = str(_MARKDOWN.render(page.read_text()))
    return element_counts(html)


def element_counts(html: str) -> dict[str, int]:
    """Count the elements that make a page's outline."""
    return {name: len(re.findall(rf"<{name}[ >]", html)) for name in ("h2", "h3", "li", "ol", "pre", "tr", "ul")}


def links(page: Path) -> list[str]:
    """Return where the links and images of a page lead."""
    found = [link for token in _inside(page) for link in (token.attrGet("href"), token.attrGet("src")) if link]
    return [unquote(str(link)) for link in found]  # a heading in Chinese is written as such


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    tokens = _MARKDOWN.parse(page.read_text())
    titles = [
        "".join(part.content for part in inside.children or [] if part.type in ("text", "code_inline"))
        for opening, inside in itertools.pairwise(tokens)
        if opening.type == "heading_open"
    ]
    found: set[str] = set()
    for title in titles:
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = next(count for count in range(len(titles)) if _numbered(slug, count) not in found)
        found.add(_numbered(slug, number))
    return found


def _numbered(slug: str, number: int) -> str:
    return f"{slug}-{number}" if number else slug


def _inside(page: Path) -> Iterator[Token]:
    for token in _MARKDOWN.parse(page.read_text()):
        yield from token.children or []
