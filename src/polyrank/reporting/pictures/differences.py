"""How models of a comparison differ from its baseline."""

from collections.abc import Iterator

from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import brief, change, count, distinct, span
from polyrank.reporting.records import Change, Comparison

from .canvas import Row, Spec, across, dots, downwards, ends, intervals, reference, spec_of, told

_BETTER = {"high": " To the right is better.", "low": " To the left is better.", "one": ""}


def difference_pictures(comparison: Comparison) -> Iterator[Picture]:
    """Draw for each metric how far each model is from the baseline."""
    found: dict[tuple[str, str], list[Change]] = {}
    for each in comparison.changes:
        if each.difference is not None:
            found.setdefault((each.task, each.metric), []).append(each)
    for own in found.values():
        yield _picture(comparison, own)


def _picture(comparison: Comparison, own: list[Change]) -> Picture:
    names = distinct(each.model for each in own)
    rows = [_row(name, each) for name, each in zip(names, own, strict=True)]
    title = f"{own[0].task}: difference of {own[0].metric}"
    return Picture(
        title=title,
        caption=f"From {brief(comparison.baseline)}, the dashed line. Bars are {comparison.level:.0%} intervals."
        f"{_BETTER[own[0].best]}",
        alt=f"Dots for {count(len(rows), 'model')}. " + " ".join(map(_told, rows)),
        spec=_drawn(rows, f"difference of {own[0].metric}"),
        table=Table(
            title,
            ("model", "difference", "interval", "verdict"),
            tuple((row["name"], row["told"], row["within"], row["verdict"]) for row in rows),
        ),
    )


def _row(name: str, each: Change) -> Row:
    texts = {"name": name, "told": change(each.difference), "within": span(each.interval, signed=True)}
    return {**texts, "verdict": each.verdict, "value": each.difference, **ends(each.interval)}


def _drawn(rows: list[Row], title: str) -> Spec:
    x, y = across("value", title), downwards("name")
    tooltip = told(("name", "model"), ("told", "difference"), ("within", "interval"), ("verdict", "verdict"))
    points = dots(rows, x=x, y=y, tooltip=tooltip)
    return spec_of(reference([{"value": 0}], x=x), points, intervals(rows, title, y), rows=len(rows))


def _told(row: Row) -> str:
    within = f" ({row['within']})" if row["within"] else ""
    return f"{row['name']}: {row['told']}{within}, {row['verdict']}."
