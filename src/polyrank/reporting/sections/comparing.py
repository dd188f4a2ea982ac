"""Models side by side."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from polyrank.reporting import facts
from polyrank.reporting.blocks import Block, Gallery, Section, Table, Words
from polyrank.reporting.bringing import COMPARE
from polyrank.reporting.numerals import brief, change, count, distinct, numeral, rounded, span
from polyrank.reporting.pictures.differences import difference_pictures
from polyrank.reporting.records import Change, Comparison, Cost
from polyrank.reporting.sources import Sources

Metrics = Mapping[tuple[str, str], float | None]
"""By task and name."""

_SEEDS = "One seed: the intervals say nothing of what other initial weights would change."


def runs_section(sources: Sources) -> Section | None:
    """Lay the metrics of several runs, or evaluations, side by side; None where there is one of each."""
    blocks: list[Block] = []
    if len(sources.runs) > 1:
        blocks += [*_other_rows(sources), _side_by_side("Validation of each run", _of_runs(sources))]
    if len(sources.evaluations) > 1:
        blocks.append(_side_by_side("Each evaluation", _of_evaluations(sources)))
    return Section("runs", "Runs side by side", tuple(blocks)) if blocks else None


def _other_rows(sources: Sources) -> Iterator[Block]:
    if len({run.metrics.data_digest for run in sources.runs}) > 1:
        yield Words("The runs were trained or validated on different rows: their differences may be those.", "warning")


def _of_runs(sources: Sources) -> list[tuple[str, Metrics]]:
    return [
        (run.name, {(task, name): value for task, own in run.metrics.validation.items() for name, value in own.items()})
        for run in sources.runs
    ]


def _of_evaluations(sources: Sources) -> list[tuple[str, Metrics]]:
    return [
        (each.name, {(task.task, own.name): own.value for task in each.found.tasks for own in task.metrics})
        for each in sources.evaluations
    ]


def _side_by_side(caption: str, columns: Sequence[tuple[str, Metrics]]) -> Table:
    first, *others = distinct(name for name, _ in columns)
    (_, base), *rest = columns
    keys = list(dict.fromkeys(key for _, metrics in columns for key in metrics))
    head = ("task", "metric", first, *(title for name in others for title in (name, "difference")))
    rows = [
        (
            task,
            name,
            numeral(base.get((task, name))),
            *tuple(
                cell
                for _, metrics in rest
                for cell in _with_difference(metrics.get((task, name)), base.get((task, name)))
            ),
        )
        for task, name in keys
    ]
    return Table(caption, head, tuple(rows))


def _with_difference(value: float | None, base: float | None) -> tuple[str, str]:
    return numeral(value), change(None if value is None or base is None else value - base)


def comparison_section(sources: Sources) -> Section:
    """Tell what comparisons found and cost."""
    blocks = [block for each in sources.comparisons for block in _compared(each.found)]
    nothing = Words("Models of all tasks and one for each were not compared:", command=COMPARE)
    return Section("sharing", "What sharing tasks changed", tuple(blocks) or (nothing,))


def _compared(comparison: Comparison) -> Iterator[Block]:
    baseline = brief(comparison.baseline)
    yield Words(
        f"Compared with {baseline} over {count(comparison.seeds, 'seed')} and "
        f"{count(comparison.rows, 'validation row')}."
    )
    if comparison.baseline != facts.ONE_PER_TASK:
        yield Words(f"The baseline {baseline} is a run, so that this says nothing of one model for each task.")
    if comparison.seeds == 1 and any(span(each.interval) for each in comparison.changes):
        yield Words(_SEEDS, "warning")
    pictures = tuple(difference_pictures(comparison))
    if pictures:
        yield Gallery(pictures)
    head = ("task", "metric", "model", "mean", baseline, "difference", f"{comparison.level:.0%} interval", "verdict")
    yield Table(f"Differences from {baseline}", head, tuple(map(_change_row, comparison.changes)))
    if comparison.costs:
        yield _costs(comparison)


def _change_row(each: Change) -> tuple[str, ...]:
    means = (numeral(_mean(each.values)), numeral(_mean(each.baseline)), change(each.difference))
    return (each.task, each.metric, brief(each.model), *means, span(each.interval, signed=True), each.verdict)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if len(known) == len(values) and known else None


def _costs(comparison: Comparison) -> Table:
    sizes = list(dict.fromkeys(size for cost in comparison.costs for size in cost.latency_ms))
    head = (
        "model",
        "graphs",
        "layers",
        "tables",
        "MiB",
        "training, s",
        "rows/s",
        *(f"ms of {size:,}" for size in sizes),
    )
    rows = tuple(_cost_row(cost, sizes) for cost in comparison.costs)
    return Table(f"What each costs; latency in {brief(comparison.engine)}, one thread, median", head, rows)


def _cost_row(cost: Cost, sizes: Sequence[int]) -> tuple[str, ...]:
    counts = (f"{cost.graphs:,}", f"{cost.layer_parameters:,}", f"{cost.table_parameters:,}")
    figures = (cost.weights_mib, cost.train_s, cost.rows_per_s, *map(cost.latency_ms.get, sizes))
    return (brief(cost.model), *counts, *map(rounded, figures))
