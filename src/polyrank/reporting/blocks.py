"""What a page is made of, before it is HTML: words, tables and pictures."""

import dataclasses
import re
from typing import Any, ClassVar, Literal

Tone = Literal["plain", "good", "warning"]

_SIGNS = "+\N{MINUS SIGN}\N{EN DASH}"
_NUMBERS = re.compile(rf"[{_SIGNS}0-9.,e%]*( to [{_SIGNS}0-9.,e%]+)?")


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A statement with its numbers, whether it is good news, and the command that brings what is missing."""

    text: str
    tone: Tone = "plain"
    command: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A question that the summary answers in sentences."""

    question: str
    sentences: tuple[Sentence, ...]

    @property
    def tone(self) -> Tone:
        """That of the worst sentence; good where one is and none is worse."""
        tones = {sentence.tone for sentence in self.sentences}
        return "warning" if "warning" in tones else "good" if "good" in tones else "plain"


@dataclasses.dataclass(frozen=True)
class Words(Sentence):
    """A paragraph of one statement or a few."""

    kind: ClassVar = "words"


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar = "heading"
    text: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; its first column names the rows."""

    kind: ClassVar = "table"
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers and intervals alone, which stand to the right."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.head)
        return tuple(all(map(_NUMBERS.fullmatch, column)) and any(column) for column in columns)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        title: what it is of.
        caption: how to read it.
        alt: what it shows, in numbers, for whoever does not see it.
        spec: the picture in Vega-Lite.
        table: its data.
    """

    title: str
    caption: str
    alt: str
    spec: dict[str, Any]
    table: Table


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Pictures side by side, where there is room; small ones where it is dense."""

    kind: ClassVar = "gallery"
    pictures: tuple[Picture, ...]
    is_dense: bool = False


@dataclasses.dataclass(frozen=True)
class Listing:
    """Text as it stands in a file, folded away."""

    kind: ClassVar = "listing"
    title: str
    text: str


Block = Words | Heading | Table | Gallery | Listing


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page with an entry in the table of contents."""

    name: str
    title: str
    blocks: tuple[Block, ...]
