"""Figures of tables that are a speed or a time, and what became slower."""

import dataclasses
import re
from collections.abc import Mapping

from .tables import Lines

NOISE = 0.10
"""How much slower a figure may be by chance where the list says nothing else: medians of processor time."""
_NUMBER = r"(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?)"
_SPEED = re.compile(rf"{_NUMBER} ?(?P<unit>[kMG]?) ?[\w ]*/s")
_TIME = re.compile(rf"{_NUMBER} ?(?P<unit>ns|µs|ms|s|min|h|times)(?![\w/])")
_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "times": 1.0}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A speed or a time of a table.

    Attributes:
        row: the cells that say of what: those before the first column that is compared, but for speeds and times.
        column: its heading.
        text: as it stands there.
        seconds: of a time; of a speed what one of its units takes.
        is_speed: more is better.
    """

    row: str
    column: str
    text: str
    seconds: float
    is_speed: bool


@dataclasses.dataclass(frozen=True)
class Change:
    """A figure as it is committed, and as it is now."""

    before: Figure
    now: Figure

    @property
    def share(self) -> float:
        """How much longer it takes now: 0.25 is a quarter longer, below 0 is faster."""
        return self.now.seconds / self.before.seconds - 1

    @property
    def change(self) -> float:
        """The change of the figure as it stands there, as a share: a speed that is slower is less."""
        ratio = self.now.seconds / self.before.seconds
        return (1 / ratio if self.now.is_speed else ratio) - 1


def figures(lines: Lines, columns: Mapping[str, str], ours: str = "") -> list[Figure]:
    """Return the figures of a table, the first where several have one name.

    Args:
        lines: of the table, the heading first.
        columns: those that are compared, by heading, with the unit where cells have none.
        ours: a pattern of the rows that are compared; others' figures are theirs.

    Raises:
        ValueError: the table has no such column.
    """
    heading, *rows = lines
    if lacking := [name for name in columns if name not in heading]:
        raise ValueError(f"the table has no column {lacking[0]!r}; its columns are {', '.join(heading)}")
    places = {heading.index(name): name for name in columns}
    found: dict[tuple[str, str], Figure] = {}
    for cells in rows:
        row = ", ".join(cell for cell in cells[: min(places, default=0)] if cell and seconds_of(cell) is None)
        for place, column in places.items():
            text = f"{cells[place]} {columns[column]}".strip()
            seconds = seconds_of(text)
            if seconds is not None and re.search(ours, row):
                found.setdefault((row, column), Figure(row, column, text, seconds, "/s" in text))
    return list(found.values())


def seconds_of(text: str) -> float | None:
    """Return the first figure of a cell as `Figure.seconds` is; None if it has none."""
    number = text.lstrip("+")
    if speed := _SPEED.match(number):
        value = float(speed["number"].replace(",", "")) * _FACTORS[speed["unit"]]
        return 1 / value if value else None
    if time := _TIME.match(number):
        return float(time["number"].replace(",", "")) * _SECONDS[time["unit"]] or None
    return None


def changes(before: list[Figure], now: list[Figure]) -> list[Change]:
    """Pair the figures that both have."""
    known = {(each.row, each.column): each for each in before}
    return [Change(known[each.row, each.column], each) for each in now if (each.row, each.column) in known]


def without_twin(found: list[Figure], others: list[Figure]) -> list[Figure]:
    """Return the figures that others lack: a speed that became none of a server that holds no rate is among them."""
    known = {(each.row, each.column) for each in others}
    return [each for each in found if (each.row, each.column) not in known]


def slower(found: list[Change], noise: float, spreads: Mapping[str, float]) -> list[Change]:
    """Return the figures that are slower by more than noise.

    Args:
        found: figures then and now.
        noise: the least that counts, a share.
        spreads: how far the rounds of a row lay apart, as a share of their median, where that is known; noise is at
            least that.
    """
    return [each for each in found if each.share > max(noise, spreads.get(each.now.row, 0.0))]
