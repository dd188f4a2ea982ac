"""Rows in parts: how good each part is."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polyrank.metrics.observed import Observed
from polyrank.metrics.probabilities import calibration
from polyrank.metrics.registry import Metric, metrics_of
from polyrank.tasks import MulticlassTask, Task

from .answered import AnsweredRows
from .influence import influence_interval
from .results import MetricValue, Slice, SliceKind, SlicePart

MAX_PARTS = 12
NUMBER_PARTS = 5
MISSING, OTHERS = "missing", "others"


@dataclasses.dataclass(frozen=True)
class Parts:
    """Which part each row is in.

    Attributes:
        by: what it is sliced by.
        kind: see `Slice`.
        names: of the parts, in their order.
        codes: int64 [B], the part of each row by its place in `names`; -1 is in none.
    """

    by: str
    kind: SliceKind
    names: tuple[str, ...]
    codes: NDArray[np.int64]


def parts_of_column(by: str, column: pa.ChunkedArray, *, is_categorical: bool) -> Parts:
    """Part rows by the value of a column: a categorical one by value, lists by length, many numbers by fifths."""
    kind = column.type
    if is_categorical:
        return _parts_of_values(by, column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return parts_of_numbers(f"length of {by}", "column", pc.list_value_length(column))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return parts_of_numbers(by, "column", column.cast(pa.float64()))
    if pa.types.is_integer(kind) and pc.count_distinct(column).as_py() > MAX_PARTS:
        return parts_of_numbers(by, "column", column)
    return _parts_of_values(by, column)


def parts_of_numbers(by: str, kind: SliceKind, column: pa.ChunkedArray) -> Parts:
    """Part rows by fifths of a column of numbers, as far as equal numbers allow."""
    values = column.to_numpy().astype(np.float64)
    known = np.isfinite(values)
    if not known.any():
        return Parts(by, kind, (MISSING,), np.zeros(len(values), np.int64))
    cuts = np.unique(np.quantile(values[known], np.linspace(0, 1, NUMBER_PARTS + 1)[1:-1], method="lower"))
    codes = np.searchsorted(cuts, values)
    codes[~known] = len(cuts) + 1
    present, codes = np.unique(codes, return_inverse=True)
    names = tuple(
        MISSING if code > len(cuts) else _range(values[known & (codes == at)]) for at, code in enumerate(present)
    )
    return Parts(by, kind, names, codes.astype(np.int64))


def _range(values: NDArray[np.float64]) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _parts_of_values(by: str, column: pa.ChunkedArray) -> Parts:
    """Part rows by value: the most frequent ones, in the order of values, then others, then what is missing."""
    kind = column.type
    coded = column.combine_chunks()
    coded = coded if pa.types.is_dictionary(kind) else coded.dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    values = coded.dictionary.cast(pa.string()).to_pylist()
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    most = np.argsort(-counts, kind="stable")[: MAX_PARTS if len(values) <= MAX_PARTS else MAX_PARTS - 1]
    shown = sorted((code for code in most.tolist() if counts[code]), key=lambda code: _natural(values[code]))
    places = np.full(len(values) + 1, len(shown))
    places[shown] = np.arange(len(shown))
    places[-1] = len(shown) + 1
    names = [*(str(values[code]) for code in shown), OTHERS, MISSING]
    found = places[codes]
    present, found = np.unique(found, return_inverse=True)
    return Parts(by, "column", tuple(names[place] for place in present), found.astype(np.int64))


def _natural(value: str | None) -> tuple[int, float, str]:
    """Order numbers as numbers, and text after them."""
    try:
        return (0, float(str(value)), "")
    except ValueError:
        return (1, 0.0, str(value))


def sliced(rows: AnsweredRows, parts: Parts, level: float) -> Slice:
    """Measure each part by the first metric of each task."""
    found = []
    for place, name in enumerate(parts.names):
        part = rows[np.flatnonzero(parts.codes == place)]
        metrics = {task.name: _first_metric(task, observed, level) for task, observed in part.by_task()}
        found.append(SlicePart(value=name, rows=len(part), metrics=metrics, calibration=dict(_calibrations(part))))
    return Slice(by=parts.by, kind=parts.kind, parts=tuple(found))


def _first_metric(task: Task, observed: Observed, level: float) -> MetricValue:
    metric = first_metric(task)
    value = metric.prepare(observed).value(np.ones(len(observed))) if len(observed) else np.nan
    if np.isnan(value):
        reason = metric.undefined if len(observed) else "no label of it is observed"
        return MetricValue(name=metric.name, best=metric.best, value=None, undefined=reason)
    interval = influence_interval(metric.name, observed, value, level)
    return MetricValue(name=metric.name, best=metric.best, value=value, interval=interval)


def first_metric(task: Task) -> Metric:
    """Return the metric that stands for a task where there is room for one."""
    return metrics_of(task, grouped=False)[0]


def _calibrations(rows: AnsweredRows) -> Iterator[tuple[str, float | None]]:
    for task, observed in rows.by_task():
        if isinstance(task, MulticlassTask) or not len(observed):
            yield task.name, None
            continue
        ratio = calibration(observed).value(np.ones(len(observed)))
        yield task.name, None if np.isnan(ratio) else ratio
