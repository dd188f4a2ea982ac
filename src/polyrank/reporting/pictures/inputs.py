"""What the model goes by: the worth of columns, and how full embedding tables are."""

from collections.abc import Iterator

import altair as alt

from polyrank.evaluation.findings import Importance, Importances, TableLoad
from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import change, count, distinct, numeral, percent, span

from .canvas import ACCENT, INK, Row, Spec, across, coloured, data, downwards, ends, spec_of, told

MEASURED, EXPECTED = "measured", "expected of a random hash"
_MOST_COLUMNS = 30


def importance_pictures(found: Importances) -> Iterator[Picture]:
    """Draw for each task how much worse it is without each column, those that it loses most without first."""
    for task, metric in found.metrics.items():
        columns = sorted((each for each in found.columns if task in each.losses), key=lambda each: -each.losses[task])
        names = distinct(each.column for each in columns)
        if columns:
            rows = [_row(name, each, task) for name, each in zip(names, columns, strict=True)]
            yield _importance(found, task, metric, rows)


def _row(name: str, each: Importance, task: str) -> Row:
    loss, shuffles = each.losses[task], each.ranges.get(task)
    texts = {"name": name, "told": change(loss), "within": span(shuffles, signed=True)}
    return {**texts, "loss": loss, **ends(shuffles)}


def _importance(found: Importances, task: str, metric: str, rows: list[Row]) -> Picture:
    most, shown, rest = rows[0], rows[:_MOST_COLUMNS], len(rows) - _MOST_COLUMNS
    left_out = f" {count(rest, 'column')} of less are in the numbers alone." if rest > 0 else ""
    return Picture(
        title=f"{task}: what columns are worth",
        caption=f"How much worse {metric}, {numeral(found.base.get(task))}, becomes when the column's values are "
        f"shuffled between {count(found.rows, 'row')}: mean and range of {count(found.shuffles, 'shuffle')}."
        f"{left_out}",
        alt=f"Bars for {count(len(shown), 'column')}. Most is lost without {most['name']}: {most['told']}.",
        spec=_drawn_losses(shown, f"loss of {metric}"),
        table=Table(
            f"{task}: loss of {metric}",
            ("column", "loss", "range"),
            tuple((row["name"], row["told"], row["within"]) for row in rows),
        ),
    )


def _drawn_losses(rows: list[Row], title: str) -> Spec:
    drawn, y = alt.Chart(data(rows)), downwards("name")
    tooltip = told(("name", "column"), ("told", "loss"), ("within", "range"))
    bars = drawn.mark_bar(color=ACCENT).encode(across("loss", title, zero=True), y, tooltip=tooltip)
    ranged = alt.Chart(data(row for row in rows if "low" in row)).mark_rule(color=INK, strokeWidth=1.5)
    ranges = ranged.encode(across("low", title, zero=True), y, x2="high")
    return spec_of(bars, ranges, rows=len(rows))


def tables_picture(tables: tuple[TableLoad, ...]) -> Picture:
    """Draw which share of values shares a row of its table, measured and expected."""
    names = distinct(each.table for each in tables)
    worst = max(tables, key=lambda each: each.collisions)
    return Picture(
        title="Collisions in embedding tables",
        caption="Values that share a row of their table with another are one to the model. Far above what a random "
        "hash gives something is odd; where both are high the table needs more buckets.",
        alt=f"Dots for {count(len(tables), 'table')}. Most values collide in {names[tables.index(worst)]}: "
        f"{percent(worst.collisions)}, where {percent(worst.expected_collisions)} is expected.",
        spec=_drawn_tables(tables, names),
        table=Table(
            "Embedding tables",
            ("table", "distinct values", "buckets", "collisions", "expected", "features"),
            tuple(_table_row(name, each) for name, each in zip(names, tables, strict=True)),
        ),
    )


def _drawn_tables(tables: tuple[TableLoad, ...], names: list[str]) -> Spec:
    rows: list[Row] = [
        {"name": name, "share": share, "series": series, "told": percent(share)}
        for name, each in zip(names, tables, strict=True)
        for series, share in ((MEASURED, each.collisions), (EXPECTED, each.expected_collisions))
    ]
    shapes = alt.Scale(domain=[MEASURED, EXPECTED], range=["circle", "diamond"])
    marks = {
        "color": coloured("series", [MEASURED, EXPECTED]),
        "shape": alt.Shape("series", type="nominal", title=None, scale=shapes),
        "tooltip": told(("name", "table"), ("series", "collisions"), ("told", "of its values")),
    }
    x = across("share", "values that share a row", zero=True, axis=alt.Axis(format="%"))
    points = alt.Chart(data(rows)).mark_point(size=90, strokeWidth=2)
    return spec_of(points.encode(x, downwards("name"), **marks), rows=len(tables), has_legend=True)


def _table_row(name: str, each: TableLoad) -> tuple[str, ...]:
    shares = (percent(each.collisions), percent(each.expected_collisions))
    return (name, f"{each.distinct:,}", f"{each.num_buckets:,}", *shares, ", ".join(distinct(each.features)))
