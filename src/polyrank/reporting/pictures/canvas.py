"""What all pictures share: data, axes, colours, and the way from altair to the page."""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

Row = dict[str, Any]
"""What a mark is drawn from: numbers, and the same written as text."""

Spec = dict[str, Any]
"""A picture in Vega-Lite."""

ACCENT, INK, WARNING = "var(--accent)", "var(--ink)", "var(--warning)"
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))
"""Colours that people of every colour vision tell apart, on light and on dark ground."""

HEIGHT = 220
DASHES = [5, 4]
_ROW_HEIGHT, _AXIS_HEIGHT, _LEGEND_HEIGHT = 24, 60, 45
_DOT = 60


def data(rows: Iterable[Row]) -> alt.InlineData:
    """Hold rows of a picture, under fixed names of fields."""
    return alt.InlineData(values=list(rows))


def across(field: str, title: str, **how: Any) -> alt.X:
    """Lay numbers out from left to right: from 0 with `zero`, by powers with `log`."""
    return alt.X(field, type="quantitative", title=title, scale=_scale(how), **how)


def upwards(field: str, title: str, **how: Any) -> alt.Y:
    """Lay numbers out from below: from 0 with `zero`, by powers with `log`, between the two numbers of `ends`."""
    return alt.Y(field, type="quantitative", title=title, scale=_scale(how), **how)


def _scale(how: dict[str, Any]) -> alt.Scale:
    if how.pop("log", False):
        return alt.Scale(type="log", nice=False)
    if (between := how.pop("ends", None)) is not None:
        return alt.Scale(domain=list(between))
    return alt.Scale(nice=True, zero=how.pop("zero", False))


def around(values: Sequence[float]) -> tuple[float, float] | None:
    """Return ends of an axis for numbers that are all alike, around which Vega finds none; None for others."""
    if not values or min(values) < max(values):
        return None
    reach = abs(values[0]) / 10 or 1.0
    return values[0] - reach, values[0] + reach


def downwards(field: str) -> alt.Y:
    """Lay names out below one another, in the order of the data: of the first layer, which should have all names."""
    return alt.Y(field, type="nominal", title=None, sort=None)


def coloured(field: str, names: Sequence[str], title: str | None = None) -> alt.Color:
    """Give each of a few series its colour."""
    colours = [SERIES[place % len(SERIES)] for place in range(len(names))]
    return alt.Color(field, type="nominal", title=title, scale=alt.Scale(domain=list(names), range=colours))


def told(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    """Show these fields, of text that is written already, where a mark is pointed at; each has a title."""
    return [alt.Tooltip(field, type="nominal", title=title) for field, title in fields]


def reference(rows: Iterable[Row], **channels: Any) -> alt.Chart:
    """Draw dashed lines to compare with."""
    lines = alt.Chart(data(rows)).mark_rule(color=INK, strokeDash=DASHES, strokeWidth=1.5)
    drawn: alt.Chart = lines.encode(**channels)
    return drawn


def dots(rows: Iterable[Row], **channels: Any) -> alt.Chart:
    """Draw dots, of one colour where `color` gives none."""
    points = alt.Chart(data(rows)).mark_point(filled=True, size=_DOT, opacity=1)
    drawn: alt.Chart = points.encode(**{"color": alt.value(ACCENT)} | channels)
    return drawn


def intervals(rows: Iterable[Row], title: str, y: alt.Y) -> alt.Chart:
    """Draw a bar from `low` to `high` for each row that has them."""
    bars = alt.Chart(data(row for row in rows if "low" in row)).mark_rule(color=ACCENT, strokeWidth=2)
    drawn: alt.Chart = bars.encode(across("low", title), y, x2="high")
    return drawn


def ends(interval: tuple[float | None, float | None] | None) -> dict[str, float]:
    """Return the fields of an interval that `intervals` draws; none where there is no interval."""
    if interval is None or interval[0] is None or interval[1] is None:
        return {}
    return {"low": interval[0], "high": interval[1]}


def spec_of(*layers: alt.Chart, height: int = HEIGHT, rows: int | None = None, has_legend: bool = False) -> Spec:
    """Return a picture that is as wide as its place on the page.

    Args:
        layers: what to draw, the lowest first.
        height: in pixels, axes included.
        rows: of names below one another, which decide the height where they are given.
        has_legend: whether a legend stands above these.
    """
    tall = height if rows is None else _ROW_HEIGHT * rows + _AXIS_HEIGHT + (_LEGEND_HEIGHT if has_legend else 0)
    fit = alt.AutoSizeParams(type="fit", contains="padding")
    drawn = alt.layer(*layers).properties(width="container", height=tall, autosize=fit)
    # What altair would check is ours, not the data's, and takes half of the time; the browser's tests draw it.
    spec: Spec = drawn.to_dict(validate=False)
    return {key: value for key, value in spec.items() if key not in ("$schema", "config")}
