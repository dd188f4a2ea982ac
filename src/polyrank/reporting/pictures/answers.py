"""How answers are spread, and how well they order the rows of each group."""

import itertools
from collections.abc import Iterator, Sequence

import altair as alt

from polyrank.evaluation.findings import Distribution, GroupAreas
from polyrank.evaluation.results import Result
from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import brief, count, distinct, numeral, percent, span

from .canvas import ACCENT, SERIES, Row, Spec, across, coloured, data, reference, spec_of, told, upwards


def distribution_pictures(result: Result) -> Iterator[Picture]:
    """Draw how the answers of each task are spread, by label."""
    for task, found in result.distributions.items():
        if any(map(sum, found.series.values())):
            yield _distribution(task, found)


def _distribution(task: str, found: Distribution) -> Picture:
    shown = _most_rows(found)
    names = dict(zip(found.series, distinct(found.series), strict=True))
    rows = [row for name in shown for row in _shares(found, name, names[name])]
    is_whole = len(found.series) == 1
    return Picture(
        title=f"{task}: answers" + ("" if is_whole else " by label"),
        caption=_caption(len(found.series) - len(shown), is_whole=is_whole),
        alt="Histogram of answers. " + " ".join(_mode(found, name, names[name]) for name in shown),
        spec=_drawn_shares(rows, [names[name] for name in shown]),
        table=Table(
            f"{task}: rows by answer and label",
            ("answers", *names.values()),
            tuple(
                (span(ends), *(f"{counts[place]:,}" for counts in found.series.values()))
                for place, ends in enumerate(_bins(found.edges))
            ),
        ),
    )


def _most_rows(found: Distribution) -> list[str]:
    """Return the series with most rows, as many as there are colours, in the order of all."""
    totals = {name: sum(counts) for name, counts in found.series.items() if any(counts)}
    largest = sorted(totals, key=lambda name: -totals[name])[: len(SERIES)]
    return [name for name in found.series if name in largest]


def _bins(edges: Sequence[float]) -> Iterator[tuple[float, float]]:
    yield from itertools.pairwise(edges)


def _shares(found: Distribution, name: str, shown: str) -> Iterator[Row]:
    counts = found.series[name]
    total = sum(counts)
    for (low, high), rows in zip(_bins(found.edges), counts, strict=True):
        numbers = {"low": low, "high": high, "share": rows / total, "floor": 0}
        texts = {"series": shown, "told": percent(rows / total), "within": span((low, high)), "rows": f"{rows:,}"}
        yield {**numbers, **texts}


def _drawn_shares(rows: list[Row], names: list[str]) -> Spec:
    colour = coloured("series", names, "label") if len(names) > 1 else alt.value(ACCENT)
    y = upwards("share", "share of its rows", zero=True, axis=alt.Axis(format="%"))
    tooltip = told(("series", "label"), ("within", "answer"), ("told", "share"), ("rows", "rows"))
    bars = alt.Chart(data(rows)).mark_rect(opacity=0.5)
    return spec_of(bars.encode(across("low", "answer"), y, x2="high", y2="floor", color=colour, tooltip=tooltip))


def _caption(left_out: int, *, is_whole: bool) -> str:
    if is_whole:
        return "The share of rows in each range of answers."
    told_of = "Of the rows with each label, the share in each range of answers: the less they overlap, the better the "
    return f"{told_of}task tells them apart." + (f" {count(left_out, 'rarer label')} left out." if left_out else "")


def _mode(found: Distribution, name: str, shown: str) -> str:
    counts = found.series[name]
    within = span(list(_bins(found.edges))[counts.index(max(counts))])
    return f"Label {shown}, {count(sum(counts), 'row')}: most answers are {within}."


def group_pictures(result: Result) -> Iterator[Picture]:
    """Draw how the areas under the ROC curve of single groups are spread, by task."""
    for task, found in result.group_areas.items():
        if found.groups:
            yield _groups(task, found, brief(result.data.group or "group"))


def _groups(task: str, found: GroupAreas, group: str) -> Picture:
    rows: list[Row] = [
        {"low": low, "high": high, "groups": groups, "floor": 0, "within": span((low, high)), "told": f"{groups:,}"}
        for (low, high), groups in zip(_bins(found.edges), found.counts, strict=True)
    ]
    quantiles = ", ".join(f"{float(name):.0%} below {numeral(value)}" for name, value in found.quantiles.items())
    below = f"{percent(found.below_half)} below 0.5, {percent(found.below_half_by_chance)} if scores were random"
    words = f"{count(found.groups, 'group')}: {quantiles}; {below}"
    return Picture(
        title=f"{task}: AUC of each {group}",
        caption=f"Of {words}. The dashed line is chance. {count(found.skipped_groups, 'group')} with labels of one "
        "kind alone have none.",
        alt=f"Histogram of the areas under the ROC curve of {words}.",
        spec=_drawn_groups(rows),
        table=Table(f"{task}: groups by AUC", ("AUC", "groups"), tuple((row["within"], row["told"]) for row in rows)),
    )


def _drawn_groups(rows: list[Row]) -> Spec:
    x, y = across("low", "AUC of a group"), upwards("groups", "groups", zero=True)
    bars = alt.Chart(data(rows)).mark_rect(color=ACCENT, opacity=0.8)
    tooltip = told(("within", "AUC"), ("told", "groups"))
    return spec_of(bars.encode(x, y, x2="high", y2="floor", tooltip=tooltip), reference([{"low": 0.5}], x=x))
