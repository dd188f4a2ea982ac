"""A schema against data: one pass over the file, then a sample of its rows."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from polyrank.batch.source import open_rows
from polyrank.errors import DataError
from polyrank.files import check_columns
from polyrank.schema import Schema

from .columns import inspectors_of, presence_findings, text_columns
from .findings import FeatureFacts, Finding, Report, Side
from .kinds import Inspector
from .labels import LabelInspector
from .leaks import alone, condition_findings, leak_findings
from .moments import TimeInspector, looks_like_time
from .sampling import Sample
from .tables import table_findings, tables_of

MOSTLY = 0.5
LEVELS = ("error", "warning", "note")

Progress = Callable[[int, int | None], None]


class CheckConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to check.

    Attributes:
        sample_rows: rows to set single features against labels on.
        seed: of the sample, and of its halves.
        validation_hours: as in the training configuration.
        validation_share: as in the training configuration.
        known: columns whose warnings somebody has looked at: they become notes.
    """

    sample_rows: int = 100_000
    seed: int = 0
    validation_hours: float | None = None
    validation_share: float = 0.1
    known: tuple[str, ...] = ()


def check(
    schema: Schema, file: Path, config: CheckConfig | None = None, *, progress: Progress = lambda _done, _total: None
) -> Report:
    """Set a schema against the rows of a Parquet or CSV file.

    Memory holds `sample_rows` rows twice, the fingerprint of each distinct value, and the time of each row.

    Raises:
        DataError: the file cannot be read, or holds no row.
    """
    with open_rows(file, ()) as stream:
        present = stream.schema.names
        check_columns(file, present, [name for name in schema.training_columns if name in present])
    checker = _Checker(schema, present, config or CheckConfig())
    with open_rows(file, text_columns(schema, present)) as stream:
        checker.kinds = {field.name: field.type for field in stream.schema}
        for batch, _ in stream.batches:
            checker.add(batch)
            progress(checker.rows, stream.num_rows)
    if checker.rows == 0:
        raise DataError(f"{file} holds no row; give a file with rows")
    return checker.report()


class _Checker:
    """What is known of the rows so far."""

    def __init__(self, schema: Schema, present: list[str], config: CheckConfig) -> None:
        self.schema, self.config, self.rows = schema, config, 0
        self.kinds: dict[str, Any] = {}
        self._early = [*presence_findings(schema, present), *condition_findings(schema)]
        self._features = inspectors_of(schema, present)
        labelled = (task for task in schema.tasks if {task.label, task.when or task.label} <= set(present))
        self._tasks = [LabelInspector(task) for task in labelled]
        has_time = schema.time in present
        self._time = TimeInspector(schema.time, schema.time_unit) if has_time and schema.time is not None else None
        self._names = [name for name in schema.training_columns if name in present]
        self._sample = Sample(config.sample_rows, np.random.default_rng((config.seed, *b"sample")))
        self._ranges: dict[str, tuple[Any, Any]] = {}

    def add(self, batch: Any) -> None:
        """Read the next rows."""
        self._features = [one for one in self._features if self._reads(one.add, batch, one.feature.name)]
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        self._tasks = [one for one in self._tasks if self._reads(one.add, columns, one.task.label)]
        if self._time is not None and not self._reads(
            self._time.add, batch.column(self._time.column), self._time.column
        ):
            self._time = None
        if self.schema.time is None:
            self._note_ranges(batch)
        self._sample.add(batch.select(self._names))
        self.rows += batch.num_rows

    def report(self) -> Report:
        """Judge, after the last row."""
        tables, sample = tables_of(self._features), self._sample.table()
        split, strengths = self._split(), alone(self._features, self._tasks, sample, self.config.seed)
        found = [
            *self._early,
            *itertools.chain.from_iterable(one.findings(self.rows) for one in self._features),
            *itertools.chain.from_iterable(self._missing(one) for one in self._features),
            *table_findings(self._features, tables),
            *itertools.chain.from_iterable(one.findings() for one in self._tasks),
            *leak_findings(strengths, self._tasks),
            *self._time_findings(split),
        ]
        found = [self._accepted(finding) for finding in found]
        return Report(
            rows=self.rows,
            sample_rows=sample.num_rows,
            findings=tuple(sorted(found, key=lambda one: LEVELS.index(one.level))),
            features=tuple(self._facts(one, tables, strengths) for one in self._features),
            tasks=tuple(one.facts(self.rows) for one in self._tasks),
            split=split,
        )

    def _reads(self, add: Callable[[Any], None], rows: Any, name: str) -> bool:
        """Read rows; what cannot be read is a finding, and is read no further."""
        try:
            add(rows.column(name) if hasattr(rows, "column") else rows)
        except DataError as err:
            message = f"{str(err).removeprefix(f'column {name!r} ')}; correct the data or the schema"
            self._early.append(Finding(level="error", check="type", column=name, message=message))
            return False
        return True

    def _accepted(self, finding: Finding) -> Finding:
        if finding.level == "warning" and finding.column in self.config.known:
            return msgspec.structs.replace(finding, level="note")
        return finding

    def _missing(self, one: Inspector) -> Iterator[Finding]:
        share = one.missing / self.rows
        if one.missing == self.rows:
            message = "has no value in any row; leave it out, or mend the data"
            yield Finding(level="warning", check="missing values", column=one.feature.name, message=message)
        elif share > MOSTLY:
            message = f"has no value in {share:.1%} of rows; see that this is meant"
            yield Finding(level="note", check="missing values", column=one.feature.name, message=message)

    def _facts(self, one: Inspector, tables: dict[str, Any], strengths: dict[str, dict[str, float]]) -> FeatureFacts:
        name = one.feature.name
        return FeatureFacts(
            name=name,
            kind=str(type(one.feature).__struct_config__.tag),
            missing=one.missing / self.rows,
            table=tables.get(name),
            truncated=None if one.truncated is None else one.truncated / self.rows,
            alone=strengths[name],
        )

    def _split(self) -> dict[str, Side]:
        if self._time is not None:
            return self._time.split(self.config.validation_hours, self.config.validation_share)
        if self.schema.time is not None:
            return {}
        held_out = max(1, round(self.rows * self.config.validation_share))
        return {"train": Side(rows=self.rows - held_out), "validation": Side(rows=held_out)}

    def _time_findings(self, split: dict[str, Side]) -> Iterator[Finding]:
        if self._time is not None:
            share = None if self.config.validation_hours is not None else self.config.validation_share
            yield from self._time.findings(split, share)
        if self.schema.time is None and self.config.validation_hours is not None:
            message = "validation hours need a time column; name one: time = '...'"
            yield Finding(level="error", check="split", message=message)
        for name, (low, high) in self._ranges.items():
            unit = looks_like_time(name, self.kinds[name], low, high)
            if unit is not None:
                message = (
                    "looks like the time of a row, and rows are split at random, so that the future trains; "
                    f'add time = "{name}" and time_unit = "{unit}"'
                )
                yield Finding(level="warning", check="split", column=name, message=message)

    def _note_ranges(self, batch: Any) -> None:
        """Keep the range of what may be times."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for name in batch.schema.names:
            column = batch.column(name)
            if pa.types.is_timestamp(column.type):
                self._ranges[name] = (None, None)
            elif pa.types.is_integer(column.type):
                low, high = pc.min_max(column).as_py().values()
                before = self._ranges.get(name, (low, high))
                lows, highs = (
                    [end for end in ends if end is not None] for ends in zip(before, (low, high), strict=True)
                )
                self._ranges[name] = (min(lows, default=None), max(highs, default=None))
