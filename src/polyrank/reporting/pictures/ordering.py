"""What weighing tasks against one another does, and what users would see."""

import altair as alt

from polyrank.evaluation.findings import Catalogue, TradeOff, TradePoint
from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import count, distinct, numeral, percent, rounded

from .canvas import ACCENT, Row, Spec, across, data, dots, downwards, spec_of, told, upwards


def trade_off_picture(found: TradeOff) -> Picture | None:
    """Draw what one task gains and another loses as weights move; None where nothing is defined."""
    first, second = found.tasks
    rows = [_row(place, point) for place, point in enumerate(found.points) if None not in point.ndcg]
    if not rows:
        return None
    title, start, end = f"{first} against {second}", rows[0], rows[-1]
    return Picture(
        title=title,
        caption=f"How well the best {found.k} rows of groups are ordered for each task, as weight moves from {first} "
        f"alone to {second} alone, over {count(found.rows, 'row')}. Up and to the right is better.",
        alt=f"A line of {count(len(rows), 'point')}. With {first} alone: {start['first_told']} and "
        f"{start['second_told']}; with {second} alone: {end['first_told']} and {end['second_told']}.",
        spec=_drawn_trade(rows, found),
        table=Table(
            title,
            (f"share of {second}", f"weights of {first}, {second}", f"ndcg of {first}", f"ndcg of {second}"),
            tuple((row["share"], row["weights"], row["first_told"], row["second_told"]) for row in rows),
        ),
    )


def _row(place: int, point: TradePoint) -> Row:
    return {
        "place": place,
        "first": point.ndcg[0],
        "second": point.ndcg[1],
        "share": percent(point.share, 0),
        "weights": ", ".join(map(rounded, point.weights)),
        "first_told": numeral(point.ndcg[0]),
        "second_told": numeral(point.ndcg[1]),
    }


def _drawn_trade(rows: list[Row], found: TradeOff) -> Spec:
    first, second = found.tasks
    x, y = across("first", f"ndcg@{found.k} of {first}"), upwards("second", f"ndcg@{found.k} of {second}")
    tooltip = told(("share", f"share of {second}"), ("weights", f"weights of {first}, {second}"))
    tooltip += told(("first_told", f"ndcg of {first}"), ("second_told", f"ndcg of {second}"))
    order = alt.Order("place", type="quantitative")
    line = alt.Chart(data(rows)).mark_line(color=ACCENT).encode(x, y, order=order)
    return spec_of(line, dots(rows, x=x, y=y, tooltip=tooltip))


def top_items_picture(found: Catalogue) -> Picture | None:
    """Draw how many users would see each of the items that are recommended most; None where none is known."""
    if not found.top_items:
        return None
    names = distinct(name for name, _ in found.top_items)
    rows: list[Row] = [
        {"name": name, "share": share, "told": percent(share)}
        for name, (_, share) in zip(names, found.top_items, strict=True)
    ]
    title, first, last = f"The {count(len(rows), 'item')} recommended most", rows[0], rows[-1]
    return Picture(
        title=title,
        caption=f"Share of {count(found.users, 'user')} who would see the item among their best {found.k}.",
        alt=f"Bars. {first['name']} is among the best {found.k} of {first['told']} of users, {last['name']} of "
        f"{last['told']}.",
        spec=_drawn_items(rows),
        table=Table(title, ("item", "of users"), tuple((row["name"], row["told"]) for row in rows)),
    )


def _drawn_items(rows: list[Row]) -> Spec:
    x = across("share", "share of users", zero=True, axis=alt.Axis(format="%"))
    bars = alt.Chart(data(rows)).mark_bar(color=ACCENT)
    tooltip = told(("name", "item"), ("told", "of users"))
    return spec_of(bars.encode(x, downwards("name"), tooltip=tooltip), rows=len(rows))
