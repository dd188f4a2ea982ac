"""A schema against data: one pass over the files, then a sample of their rows."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from polyrank.arguments import instance
from polyrank.errors import DataError, RowError
from polyrank.files import Location, Piece, Progress, Wanted, scan
from polyrank.schema import Schema

from .check_config import CheckConfig
from .columns import DataColumns, columns_in, inspectors_of, presence_findings
from .findings import LEVELS, FeatureFacts, Finding, Report
from .kinds import Inspector
from .labels import LabelInspector
from .leaks import alone, condition_findings, leak_findings
from .sampling import Sample
from .splitting import SplitInspector
from .tables import table_findings, tables_of

MOSTLY = 0.5


def check(
    schema: Schema,
    path: Location,
    config: CheckConfig | None = None,
    *,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Set a schema against rows: a file, the files of a directory, or those of a pattern, as training takes them.

    Memory holds a piece of a file as `scan` gives it, `sample_rows` rows twice, the fingerprint of each distinct value,
    and the time of each row.

    Raises:
        ConfigError: `config` is no `CheckConfig`.
        DataError: the data cannot be read, or hold no row.
    """
    config = CheckConfig() if config is None else config
    instance("config", config, CheckConfig, "a CheckConfig(...)")
    schema = schema.resolved()
    wanted = Wanted(text=schema.text_columns, integers=schema.integer_columns, encoding=config.encoding)
    columns = columns_in(path, wanted)
    checker = _Checker(schema, columns, config)
    for piece in scan(path, dataclasses.replace(wanted, columns=checker.columns)):
        checker.add(piece)
        progress(checker.rows, None)
    return checker.report()


class _Checker:
    """What is known of the rows so far."""

    def __init__(self, schema: Schema, columns: DataColumns, config: CheckConfig) -> None:
        self.config, self.rows = config, 0
        self._is_one_file = len(columns.files) == 1
        needed = dict.fromkeys((*schema.training_columns, *filter(None, [config.validation_column])))
        self._early = [*presence_findings(schema, columns, tuple(needed)), *condition_findings(schema)]
        lacking = columns.lacking
        whole = {name: kind for name, kind in columns.types.items() if name not in lacking}
        self._split = SplitInspector(schema, whole, config)
        self._names = [name for name in schema.training_columns if name in whole]
        self.columns = tuple(dict.fromkeys((*self._names, *self._split.columns))) or tuple(whole)[:1]
        self._features = inspectors_of(schema, self._names)
        readers = map(LabelInspector, schema.tasks)
        self._tasks = [reader for reader in readers if set(reader.columns) <= set(self._names)]
        self._sample = Sample(config.sample_rows, np.random.default_rng((config.seed, *b"sample")))

    def add(self, piece: Piece) -> None:
        """Read the next rows."""
        table = piece.table
        columns = {name: table.column(name) for name in table.column_names}
        self._features = [one for one in self._features if self._reads(one.add, columns, one.feature.name, piece)]
        self._tasks = [one for one in self._tasks if self._reads(one.add, columns, one.task.label, piece)]
        if not self._reads(self._split.add, table, self._split.name, piece):
            self._split.give_up()
        self._sample.add(table)
        self.rows += table.num_rows

    def report(self) -> Report:
        """Judge, after the last row."""
        tables, sample = tables_of(self._features), self._sample.table()
        sides, strengths = self._split.sides(self.rows), alone(self._features, self._tasks, sample, self.config.seed)
        found = [
            *self._early,
            *itertools.chain.from_iterable(one.findings(self.rows) for one in self._features),
            *itertools.chain.from_iterable(self._missing(one) for one in self._features),
            *table_findings(self._features, tables),
            *itertools.chain.from_iterable(one.findings() for one in self._tasks),
            *leak_findings(strengths, self._tasks),
            *self._split.findings(sides),
        ]
        found = [self._accepted(finding) for finding in found]
        return Report(
            rows=self.rows,
            sample_rows=sample.num_rows,
            findings=tuple(sorted(found, key=lambda one: LEVELS.index(one.level))),
            features=tuple(self._facts(one, tables, strengths) for one in self._features),
            tasks=tuple(one.facts(self.rows) for one in self._tasks),
            split=sides,
        )

    def _reads(self, add: Callable[[Any], None], rows: Any, name: str, piece: Piece) -> bool:
        """Read rows; what cannot be read is a finding, and is read no further."""
        try:
            add(rows)
        except DataError as err:
            told = str(err.after(piece.first_row) if isinstance(err, RowError) else err)
            place = "" if self._is_one_file else f" ({piece.file})"
            message = f"{told.removeprefix(f'column {name!r} ')}{place}; correct the data or the schema"
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
            alone=strengths[name],
            **one.facts(self.rows),
        )
