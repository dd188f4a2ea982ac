"""Whether answers mean what they say: mean answer against mean label."""

from collections.abc import Iterator, Sequence

import altair as alt

from polyrank.evaluation.findings import CalibrationBin
from polyrank.evaluation.results import Result
from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import count, numeral, span

from .canvas import ACCENT, DASHES, INK, Row, Spec, across, data, dots, spec_of, told, upwards

_TITLES = ("mean answer", "mean label")


def calibration_pictures(result: Result) -> Iterator[Picture]:
    """Draw mean answer against mean label of each task that has bins."""
    for task, bins in result.calibration.items():
        if bins:
            yield _picture(task, bins, result.level)


def _picture(task: str, bins: Sequence[CalibrationBin], level: float) -> Picture:
    rows = [_row(each) for each in bins]
    worst = max(bins, key=lambda each: abs(each.answer - each.label))
    return Picture(
        title=f"{task}: calibration",
        caption=f"Rows in {count(len(bins), 'bin')} of about equal weight, by their answer. On the dashed line the "
        f"mean label is the mean answer; below it answers are too high. Bars are {level:.0%} intervals.",
        alt=f"Dots of mean label against mean answer in {count(len(bins), 'bin')}. Furthest from the diagonal: mean "
        f"answer {numeral(worst.answer)}, mean label {numeral(worst.label)}, over {count(worst.rows, 'row')}.",
        spec=_drawn(rows),
        table=Table(
            f"{task}: mean answer and label by bin",
            (*_TITLES, "interval of it", "rows"),
            tuple((row["answered"], row["labelled"], row["within"], row["rows"]) for row in rows),
        ),
    )


def _row(each: CalibrationBin) -> Row:
    numbers = {"answer": each.answer, "label": each.label, "low": each.interval[0], "high": each.interval[1]}
    texts = {"answered": numeral(each.answer), "labelled": numeral(each.label), "within": span(each.interval)}
    return {**numbers, **texts, "rows": f"{each.rows:,}"}


def _drawn(rows: list[Row]) -> Spec:
    x, y = across("answer", _TITLES[0]), upwards("label", _TITLES[1])
    least, most = (end(row[field] for row in rows for field in ("answer", "label")) for end in (min, max))
    corners: list[Row] = [{"answer": value, "label": value} for value in (least, most)]
    diagonal = alt.Chart(data(corners)).mark_line(color=INK, strokeDash=DASHES, strokeWidth=1.5).encode(x, y)
    bars = alt.Chart(data(rows)).mark_rule(color=ACCENT, strokeWidth=2)
    tooltip = told(("answered", _TITLES[0]), ("labelled", _TITLES[1]), ("within", "interval"), ("rows", "rows"))
    points = dots(rows, x=x, y=y, tooltip=tooltip)
    return spec_of(diagonal, bars.encode(x, y=upwards("low", _TITLES[1]), y2="high"), points)
