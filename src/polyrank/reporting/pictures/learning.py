"""How a training went: losses and the main metrics of each task, after each validation."""

from collections.abc import Iterator

import altair as alt

from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import numeral
from polyrank.reporting.records import Epoch
from polyrank.reporting.sources import Run

from .canvas import Row, Spec, across, around, coloured, data, dots, reference, spec_of, told, upwards

LOG_LOSS = "log_loss"
"""A metric in the unit of the training loss, where a task has it."""

TRAIN, VALIDATION = "training", "validation"

Series = dict[str, list[float | None]]
"""Values after each validation, by what they are of."""


def learning_pictures(run: Run) -> Iterator[Picture]:
    """Draw the losses of each task and its metrics with intervals; nothing of a training without a history."""
    for task, values in run.metrics.validation.items():
        if run.metrics.history and values:
            yield _losses(run, task)
            sure = run.metrics.intervals.get(task, {})
            for metric in [name for name in values if name in sure] or list(values)[:1]:
                yield _metric(run, task, metric)


def _losses(run: Run, task: str) -> Picture:
    series: Series = {TRAIN: [epoch.train_loss.get(task) for epoch in run.metrics.history]}
    log_loss = [epoch.validation.get(task, {}).get(LOG_LOSS) for epoch in run.metrics.history]
    caption = "Mean loss of the training rows while they were learned"
    if any(value is not None for value in log_loss):
        series[VALIDATION] = log_loss
        caption += ", and of the validation rows after it"
    return _picture(run, f"{task}: loss", caption, series, "loss")


def _metric(run: Run, task: str, metric: str) -> Picture:
    series: Series = {VALIDATION: [epoch.validation.get(task, {}).get(metric) for epoch in run.metrics.history]}
    return _picture(run, f"{task}: {metric}", "Of the validation rows", series, metric)


def _picture(run: Run, title: str, caption: str, series: Series, what: str) -> Picture:
    unit, places = _places(run.metrics.history)
    kept = run.metrics.kept.epoch if unit == "epoch" else run.metrics.kept.steps
    return Picture(
        title=title,
        caption=f"{caption}. The dashed line is the {unit} whose weights are kept, {kept:,}.",
        alt=f"Lines by {unit}. " + " ".join(_ends(name, values, unit, places) for name, values in series.items()),
        spec=_drawn(_rows(series, places), list(series), (unit, what), kept),
        table=Table(title, (unit, *series), tuple(_table_rows(places, series))),
    )


def _rows(series: Series, places: list[int]) -> list[Row]:
    return [
        {"place": place, "value": value, "series": name, "told": numeral(value), "at": f"{place:,}"}
        for name, values in series.items()
        for place, value in zip(places, values, strict=True)
        if value is not None
    ]


def _drawn(rows: list[Row], names: list[str], titles: tuple[str, str], kept: int) -> Spec:
    unit, what = titles
    places = sorted({row["place"] for row in rows})
    axis = alt.Axis(values=places, format=",d", labelOverlap=True, grid=False)
    x, y = across("place", unit, axis=axis), upwards("value", what, ends=around([row["value"] for row in rows]))
    colour = coloured("series", names) if len(names) > 1 else alt.Undefined
    lines = alt.Chart(data(rows)).mark_line().encode(x, y, color=colour)
    tooltip = told(("at", unit), ("series", "rows"), ("told", what))
    points = dots(rows, x=x, y=y, color=colour, tooltip=tooltip)
    return spec_of(reference([{"place": kept}], x=x), lines, points)


def _places(history: tuple[Epoch, ...]) -> tuple[str, list[int]]:
    """Return what counts the validations, and the count of each: epochs, or steps where an epoch has several."""
    epochs = [epoch.epoch for epoch in history]
    return ("epoch", epochs) if len(set(epochs)) == len(epochs) else ("step", [epoch.steps for epoch in history])


def _ends(name: str, values: list[float | None], unit: str, places: list[int]) -> str:
    return (
        f"{name.capitalize()} goes from {numeral(values[0])} at {unit} {places[0]:,} to {numeral(values[-1])} "
        f"at {unit} {places[-1]:,}."
    )


def _table_rows(places: list[int], series: Series) -> Iterator[tuple[str, ...]]:
    for number, place in enumerate(places):
        yield (f"{place:,}", *(numeral(values[number]) for values in series.values()))
