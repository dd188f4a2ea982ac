"""Whatever the rows, tasks, groups, weights and answers are, an evaluation ends, and its numbers are numbers."""

import dataclasses
import itertools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from artefacts.evaluated import EVERY_TASK, Formula, answers_of, few, schema_of, table_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from polyrank.commands.evaluation_text import result_text
from polyrank.evaluation.evaluating import evaluate_files
from polyrank.evaluation.options import EvaluationOptions
from polyrank.evaluation.results import Result
from polyrank.metrics.comparison import Answers
from polyrank.schema import Schema

LINES = ('group = "user"', 'group = "country"', 'time = "at"', 'sample_weight = "weight"')
EMPTIED = ("user", "item", "country", "hour", "price", "history", *"clwsogp", "at")
CONSTANTS: dict[str, Any] = {"c": 1, "w": 0.0, "s": -3e38, "o": 3.5, "g": 2, "p": 0, "weight": 0.0, "user": 7, "at": 0}
BY = ("price", "history", "hour", "c", "w", "user", "item", "at")
SCALES = (0.0, 1.0, 1e-30, 1e30)


@dataclasses.dataclass(frozen=True)
class Case:
    """A model and rows; `scale` multiplies its answers that are no probability, `marks` are rows that are evaluated."""

    schema: Schema
    table: pa.Table
    scale: float
    options: EvaluationOptions
    marks: NDArray[np.bool_] | None
    pieces: int

    def answer(self, schema: Schema, rows: pa.Table) -> Answers:
        """Answer rows."""
        chances = {task.name for task in schema.tasks if task.label in "clg"}
        found = answers_of(schema, rows)
        return {name: answers if name in chances else answers * self.scale for name, answers in found.items()}

    def evaluated(self) -> Result:
        """Evaluate the rows."""
        bounds = np.linspace(0, len(self.table), self.pieces + 1).astype(int)
        pieces = [self.table.slice(low, high - low) for low, high in itertools.pairwise(bounds)]
        with tempfile.TemporaryDirectory() as folder:
            rows = written(Path(folder), *pieces)
            return evaluate_files(Formula(self.schema, self.answer), rows, self.options, evaluated=self.marks)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a schema of some tasks, and rows of which some columns are empty or of one value."""
    tasks = draw(st.lists(st.sampled_from(EVERY_TASK), min_size=1, unique=True))
    lines = {line.partition(" ")[0]: line for line in draw(st.lists(st.sampled_from(LINES), unique=True))}
    table = _spoiled(draw, table_of(draw(st.integers(1, 40)), draw(st.integers(0, 99))))
    by = tuple(draw(st.lists(st.sampled_from(BY), max_size=3, unique=True)))
    level, resamples = draw(st.sampled_from([(0.5, 4), (0.95, 40)]))
    options = few(
        by=by,
        k=draw(st.integers(1, 5)),
        importance_rows=10,
        catalogue_users=2,
        level=level,
        resamples=resamples,
    )
    marks = draw(st.none() | st.lists(st.booleans(), min_size=len(table), max_size=len(table)).filter(any))
    return Case(
        schema_of(*tasks, extra="\n".join(lines.values())),
        table,
        draw(st.sampled_from(SCALES)),
        options,
        None if marks is None else np.array(marks),
        draw(st.integers(1, 3)),
    )


def _spoiled(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    for name in draw(st.lists(st.sampled_from(EMPTIED), max_size=4, unique=True)):
        place, kind = table.column_names.index(name), table.schema.field(name).type
        table = table.set_column(place, name, pa.nulls(len(table), kind))
    for name in draw(st.lists(st.sampled_from(list(CONSTANTS)), max_size=3, unique=True)):
        place, kind = table.column_names.index(name), table.schema.field(name).type
        table = table.set_column(place, name, pa.array([CONSTANTS[name]] * len(table), kind))
    return table


def numbers(value: Any) -> Iterator[float]:
    """Yield every number of a result."""
    if isinstance(value, float):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ():
        yield from numbers(part)


@settings(max_examples=30)
@given(cases())
def test_evaluation_ends_with_finite_numbers(case: Case) -> None:
    found = case.evaluated()
    assert all(map(math.isfinite, numbers(msgspec.to_builtins(found))))
    assert msgspec.json.decode(found.to_json(), type=Result) == found
    assert result_text(found)


@settings(max_examples=15)
@given(cases())
def test_parts_of_a_slice_are_all_rows(case: Case) -> None:
    found = case.evaluated()
    sums = {each.by: sum(part.rows for part in each.parts) for each in found.slices}
    assert all(each.kind == "novelty" or sums[each.by] == found.data.rows for each in found.slices)
    assert all(total <= found.data.rows for total in sums.values())
    assert all(part.rows > 0 for each in found.slices for part in each.parts)


@settings(max_examples=15)
@given(cases())
def test_intervals_hold_their_values(case: Case) -> None:
    found = case.evaluated()
    metrics = [metric for each in found.slices for part in each.parts for metric in part.metrics.values()]
    held = [(metric.interval, metric.value) for metric in metrics if metric.interval is not None]
    bins = [(each.interval, each.label) for curve in found.calibration.values() for each in curve]
    for (low, high), value in held + bins:
        assert value is not None
        margin = 1e-6 * max(1.0, abs(value))
        assert low - margin <= value <= high + margin
