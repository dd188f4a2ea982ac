"""The rows in parts: a dot and an interval for each."""

from collections.abc import Iterator

from polyrank.evaluation.findings import MetricValue, Slice
from polyrank.evaluation.results import Result
from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import brief, distinct, numeral, span

from .canvas import Row, Spec, across, dots, downwards, ends, intervals, reference, spec_of, told

_BETTER = {"high": "To the right is better.", "low": "To the left is better.", "one": "Near 1 is better."}


def slice_pictures(result: Result, cut: Slice) -> Iterator[Picture]:
    """Draw the first metric of each task in each part of a slice; nothing of a task that has none there."""
    for task in result.tasks:
        rows = list(_rows(cut, task.task))
        if task.metrics and rows:
            yield _picture(cut, task.task, task.metrics[0], rows, result.level)


def _rows(cut: Slice, task: str) -> Iterator[Row]:
    names = distinct(part.value for part in cut.parts)
    for name, part in zip(names, cut.parts, strict=True):
        metric = part.metrics.get(task)
        if metric is not None and metric.value is not None:
            texts = {"name": name, "told": numeral(metric.value), "within": span(metric.interval)}
            yield {**texts, "rows": f"{part.rows:,}", "value": metric.value, **ends(metric.interval)}


def _picture(cut: Slice, task: str, whole: MetricValue, rows: list[Row], level: float) -> Picture:
    title = f"{brief(cut.by)}: {task} {whole.name}"
    least, most = (end(rows, key=lambda row: float(row["value"])) for end in (min, max))
    return Picture(
        title=title,
        caption=f"Bars are {level:.0%} intervals, which parts of few rows or groups lack; the dashed line is "
        f"the value of all rows, {numeral(whole.value)}. {_BETTER[whole.best]}",
        alt=f"Dots with intervals for {len(rows)} parts, from {least['told']} ({least['name']}) to {most['told']} "
        f"({most['name']}); all rows {numeral(whole.value)}.",
        spec=_drawn(rows, whole),
        table=Table(
            title,
            (brief(cut.by), whole.name, "interval", "calibration", "rows"),
            tuple(_table_rows(cut, task)),
        ),
    )


def _drawn(rows: list[Row], whole: MetricValue) -> Spec:
    x, y = across("value", whole.name), downwards("name")
    tooltip = told(("name", "part"), ("told", whole.name), ("within", "interval"), ("rows", "rows"))
    lines = [] if whole.value is None else [reference([{"value": whole.value}], x=x)]
    points = dots(rows, x=x, y=y, tooltip=tooltip)
    return spec_of(*lines, points, intervals(rows, whole.name, y), rows=len(rows))


def _table_rows(cut: Slice, task: str) -> Iterator[tuple[str, ...]]:
    for name, part in zip(distinct(part.value for part in cut.parts), cut.parts, strict=True):
        metric = part.metrics.get(task)
        value, interval = (None, None) if metric is None else (metric.value, metric.interval)
        yield (name, numeral(value), span(interval), numeral(part.calibration.get(task)), f"{part.rows:,}")
