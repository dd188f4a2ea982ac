"""Quantitative analyses that the export itself has: of the training, and of the graph."""

import math
from collections.abc import Iterable, Iterator

from polyrank.run_record import RunRecord

from .facts import Comparison, Facts, Loss
from .markdown import code, escaped, section, table

_LARGE = 1e9
"""From here on decimals are no news, and digits before the point are many."""

PARITY = (
    "A difference is that from the trained model, absolute for answers up to 1 and relative above; above the limit an "
    "export is refused. `parity.json` has all of them."
)


def validation_lines(facts: Facts) -> Iterator[str]:
    """Give the metrics of the validation rows, and what is undefined."""
    record = facts.record
    if record is None or not record.validation:
        found: Iterable[str] = ["The run has no metrics."]
    else:
        found = table(("task", "metric", "value", "95% interval"), _metrics(record))
    yield from section("Validation of the training", found, level=3)


def _metrics(record: RunRecord) -> Iterator[tuple[str, ...]]:
    for task, metrics in record.validation.items():
        for name, value in metrics.items():
            why = record.undefined.get(task, {}).get(name, "")
            interval = record.intervals.get(task, {}).get(name)
            yield code(task), code(name), value_of(value, why), between(interval)


def value_of(value: float | None, why: str = "") -> str:
    """Write a value, or why there is none."""
    if value is None or math.isnan(value):
        return "undefined" + (f": {escaped(why)}" if why else "")
    return f"{value:.4f}" if abs(value) < _LARGE else f"{value:.4e}"


def between(interval: tuple[float | None, float | None] | None) -> str:
    """Write an interval; nothing where there is none."""
    if interval is None or None in interval:
        return ""
    return f"{value_of(interval[0])} to {value_of(interval[1])}"


def parity_lines(facts: Facts) -> Iterator[str]:
    """Give the evidence that the graph answers like the trained model, and what smaller numbers cost."""
    head = ("graph", "ONNX Runtime", "worst difference", "limit", "output", "rows", "at once")
    compared = table(head, map(_compared, facts.comparisons))
    yield from section("Agreement with the trained model", [PARITY], compared, level=3)
    if facts.losses:
        costs = table(("task", "metric", "before", "after", "loss", "standard error"), map(_cost, facts.losses))
        yield from section("What smaller numbers cost", costs, level=3)


def _compared(found: Comparison) -> tuple[str, ...]:
    worst = "no number" if math.isnan(found.difference) else f"{found.difference:.1e}"
    limit, at_once = f"{found.limit:.0e}", f"{found.batch_size:,}"
    return found.graph, found.onnxruntime, worst, limit, code(found.output), found.rows, at_once


def _cost(found: Loss) -> tuple[str, ...]:
    numbers = (f"{value:.5f}" for value in (found.before, found.after, found.loss, found.error))
    return code(found.task), code(found.metric), *numbers
