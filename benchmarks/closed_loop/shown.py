"""The outcome as tables and a picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt

from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.pictures.canvas import across, coloured, data, spec_of, upwards
from polyrank.reporting.stills import write_still

from .day import SERVED
from .rivals import NAMES
from .story import Story

LINES = ("oracle", SERVED, "first version", "popularity", "random")

Lines = list[list[str]]


def days_table(story: Story) -> Lines:
    """Return a line for each day."""
    lines = [["day", "version", "clicks", SERVED, *NAMES, "of the oracle", "ranked places"]]
    for day in story.days:
        rates = [f"{day['rates'][name]:.1%}" for name in (SERVED, *NAMES)]
        shares = [f"{day[name]:.1%}" for name in ("share", "ranked_share")]
        lines.append([str(day["day"]), day["version"], f"{day['clicks']:.1%}", *rates, *shares])
    return lines


def clicks_table(story: Story) -> Lines:
    """Return the last day's share of the oracle's click rate, by how many clicks are known of who came."""
    shares = story.days[-1]["shares_by_clicks"]
    return [["clicks known of a user", *shares], ["of the oracle, last day", *map(_percent, shares.values())]]


def items_table(story: Story) -> Lines:
    """Return how many new items lists have; nothing but the heading where none came."""
    lines = [["new items in a list", "loved", "of the oracle", "ordinary", "of the oracle"]]
    if story.newcomers is not None:
        for cycles, found in enumerate(story.newcomers["items"]):
            cells = [f"{found[group][who]:.2f}" for group in ("loved", "ordinary") for who in ("served", "oracle")]
            when = f"after {cycles} cycle{'s' * (cycles > 1)}" if cycles else "first day"
            lines.append([when, *cells])
    return lines


def cold_table(story: Story) -> Lines:
    """Return the click rates of lists for users of whom nothing is known."""
    lines = [["visits", SERVED, *NAMES]]
    if story.newcomers is not None:
        cold = story.newcomers["cold visits"]
        lines.append([f"{cold['visits']:,}", *(_percent(cold["rates"][name]) for name in (SERVED, *NAMES))])
    return lines


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def draw(story: Story, file: Path) -> None:
    """Draw the click rates by day."""
    rows = list(_points(story.days))
    x = across("day", "day", axis=alt.Axis(format=",d", grid=False, values=[day["day"] for day in story.days]))
    y = upwards("rate", "click rate", zero=True, axis=alt.Axis(format="%"))
    marks = alt.Chart(data(rows)).mark_line(point=True, strokeWidth=2).encode(x, y, color=coloured("list", LINES))
    table = Table("click rates", ("day", *LINES), ())
    title = f"Click rates of lists in a simulated shop of {story.sizes.items:,} items"
    write_still(Picture(title=title, caption="", alt="", spec=spec_of(marks), table=table), file, title)


def _points(days: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for day in days:
        yield from ({"day": day["day"], "list": name, "rate": day["rates"][name]} for name in LINES)
