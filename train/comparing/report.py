"""A comparison as text."""

import math
import statistics
from collections.abc import Sequence

from .costs import BATCH_SIZES, Cost
from .differences import Change
from .trainings import Comparison


def report_text(comparison: Comparison) -> str:
    """Write both tables: what changes in each task, and what each model costs."""
    seeds = f"{comparison.seeds} seed{'s' if comparison.seeds > 1 else ''}"
    first = f"{comparison.rows:,} validation rows, {seeds}, compared with {comparison.baseline}"
    parts = [first, _table(_changes(comparison))]
    if comparison.seeds == 1 and any(change.interval is not None for change in comparison.changes):
        parts.append("One seed: the intervals say nothing of what other initial weights would change.")
    if comparison.costs:
        parts += [_table(_costs(comparison.costs)), f"Latency: {comparison.engine}, one thread, median."]
    return "\n\n".join(parts)


def _changes(comparison: Comparison) -> list[list[str]]:
    percent = f"{comparison.level:.0%} interval"
    rows = [["task", "metric", "model", "mean", "sd", "difference", percent, "verdict"]]
    for (task, metric), own in _by_metric(comparison.changes).items():
        rows.append([task, metric, comparison.baseline, *_mean_and_sd(own[0].baseline), "", "", ""])
        rows += [_change_row(change) for change in own]
    return rows


def _by_metric(changes: Sequence[Change]) -> dict[tuple[str, str], list[Change]]:
    found: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.task, change.metric), []).append(change)
    return found


def _change_row(change: Change) -> list[str]:
    interval = "" if change.interval is None else f"[{change.interval[0]:+.4f}, {change.interval[1]:+.4f}]"
    difference = f"{change.difference:+.4f}"
    return ["", "", change.model, *_mean_and_sd(change.values), difference, interval, change.verdict]


def _mean_and_sd(values: Sequence[float]) -> list[str]:
    spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 and not math.isnan(sum(values)) else ""
    return [f"{sum(values) / len(values):.4f}", spread]


def _costs(costs: Sequence[Cost]) -> list[list[str]]:
    titles = ["model", "graphs", "layers", "tables", "MiB", "train s", "rows/s"]
    return [
        [*titles, *(f"ms of {size}" for size in BATCH_SIZES)],
        *(
            [
                cost.model,
                str(cost.graphs),
                f"{cost.layer_parameters:,}",
                f"{cost.table_parameters:,}",
                f"{cost.weights_mib:.1f}",
                "" if cost.train_s is None else f"{cost.train_s:.1f}",
                "" if cost.rows_per_s is None else f"{cost.rows_per_s:,.0f}",
                *(f"{cost.latency_ms[size]:.3f}" for size in BATCH_SIZES),
            ]
            for cost in costs
        ),
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Align columns: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    is_number = [_are_numbers(column[1:]) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, is_number, strict=True)
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(not cell or cell[0] in "+-0123456789" or cell == "nan" for cell in cells)
