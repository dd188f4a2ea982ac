"""How far what is served is from the trained model."""

import altair as alt

from polyrank.reporting import facts
from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import brief, count, distinct, tiny
from polyrank.reporting.sources import Bundle

from .canvas import Row, Spec, across, coloured, dots, downwards, reference, spec_of, told

_LEAST = 1e-4
"""Of the limit: where differences are drawn that are smaller, since 0 has no place on a scale of powers."""

Largest = dict[tuple[str, int], float | None]
"""The largest difference by output and batch size; None where one is no number."""


def parity_picture(bundle: Bundle) -> Picture:
    """Draw the largest difference of each output at each batch size against the limit."""
    limit, worst, name = bundle.parity.tolerance, facts.worst(bundle.parity), brief(bundle.name)
    largest = _largest(bundle)
    outputs, sizes = list(dict.fromkeys(output for output, _ in largest)), sorted({size for _, size in largest})
    return Picture(
        title=f"{name}: difference from the trained model",
        caption=f"The largest of all rows that must agree, by output and batch size. The dashed line is the limit, "
        f"{tiny(limit)}. What is below {tiny(limit * _LEAST)}, such as 0, is drawn there.",
        alt=f"Dots for {count(len(outputs), 'output')} at {count(len(sizes), 'batch size')}. The largest difference is "
        f"{tiny(worst.difference)}, of {worst.task} at batch size {worst.batch_size:,}; the limit is {tiny(limit)}.",
        spec=_drawn(largest, limit, len(outputs), [f"{size:,}" for size in sizes]),
        table=Table(
            f"{name}: largest difference by output and batch size",
            ("output", *(f"batch {size:,}" for size in sizes)),
            tuple((output, *(tiny(largest.get((output, size))) for size in sizes)) for output in outputs),
        ),
    )


def _largest(bundle: Bundle) -> Largest:
    counted = facts.counted(bundle.parity)
    outputs = list(dict.fromkeys(each.task for each in counted))
    names, found = dict(zip(outputs, distinct(outputs), strict=True)), Largest()
    for each in counted:
        key = (names[each.task], each.batch_size)
        before = found.get(key, 0.0)
        found[key] = None if before is None or each.difference is None else max(before, each.difference)
    return found


def _drawn(largest: Largest, limit: float, outputs: int, sizes: list[str]) -> Spec:
    rows: list[Row] = [
        {"name": task, "value": max(value, limit * _LEAST), "batch": f"{size:,}", "told": tiny(value)}
        for (task, size), value in largest.items()
        if value is not None
    ]
    x = across("value", "difference", log=True, axis=alt.Axis(format="~e", labelOverlap=True))
    tooltip = told(("name", "output"), ("batch", "batch size"), ("told", "difference"))
    points = dots(rows, x=x, y=downwards("name"), color=coloured("batch", sizes, "batch size"), tooltip=tooltip)
    return spec_of(reference([{"value": limit}], x=x), points, rows=outputs, has_legend=True)
