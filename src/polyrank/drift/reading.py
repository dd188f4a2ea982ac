"""One pass over a data set."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from polyrank.errors import DataError
from polyrank.files import Location, Progress, Wanted, scan
from polyrank.result_files import Answering
from polyrank.schema import Schema

from .readers import Answer, LabelReader, NumberReader, ScoreReader, ValueReader

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

IN_COLUMNS = "columns"
"""The source of scores that the rows have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """Where scores come from.

    Attributes:
        schema: of the tasks that it answers, and of the types of the columns that it needs.
        answer: gives them.
        model: whose they are.
        columns: that `answer` needs.
    """

    schema: Schema
    answer: Answer
    model: Answering
    columns: tuple[str, ...]


def scores_in_columns(schema: Schema) -> Scores:
    """Return the scores that rows have in columns named after the tasks, as `polyrank score --keep` writes them."""
    names = tuple(task.name for task in schema.tasks)
    return Scores(
        schema=schema,
        answer=lambda rows: {task.name: _score_column(rows, task.name, task.num_answers) for task in schema.tasks},
        model=Answering(source=IN_COLUMNS, name="", run_id=""),
        columns=names,
    )


class Reading:
    """What one data set holds.

    Attributes:
        path: of it.
        rows: how many.
        values: of the features that are hashed, by name.
        numbers: of those that are numbers.
        labels: of the tasks that are compared.
        scores: of the tasks; None without.
    """

    def __init__(self, path: Location, schema: Schema, labelled: Schema | None, scores: Scores | None) -> None:
        self.path, self.rows = path, 0
        self.values = {one.name: ValueReader(one, schema.features) for one in schema.hashed_features}
        self.numbers = {one.name: NumberReader(one, schema.features) for one in schema.dense_features}
        self.labels = None if labelled is None else LabelReader(labelled)
        self.scores = None if scores is None else _score_reader(scores)

    def add(self, table: "pa.Table") -> None:
        """Read the next rows.

        Raises:
            DataError: a value does not fit its feature or task; a `RowError` says in which row.
            PolyrankError: rows cannot be answered.
        """
        columns = {name: table.column(name) for name in table.column_names}
        for values in self.values.values():
            values.add(columns)
        for numbers in self.numbers.values():
            numbers.add(columns)
        if self.labels is not None:
            self.labels.add(columns)
        if self.scores is not None:
            self.scores.add(table)
        self.rows += table.num_rows


def read(reading: Reading, columns: tuple[str, ...], wanted: Wanted, progress: Progress) -> Reading:
    """Read all rows of a data set, and return its reading.

    Raises:
        DataError: the data cannot be read, hold no row, lack a column, hold labels in place of scores, or a value does
            not fit its feature; the message names the file and the row.
        PolyrankError: rows cannot be answered.
    """
    for piece in scan(reading.path, dataclasses.replace(wanted, columns=columns)):
        with piece.named():
            reading.add(piece.table)
        progress(reading.rows, None)
    for name in () if reading.scores is None else reading.scores.labels():
        fault = f"column {name!r} holds 0 and 1 alone, as labels do; scores expected"
        raise DataError(f"{reading.path}: {fault}, which polyrank score gives")
    return reading


def _score_reader(scores: Scores) -> ScoreReader:
    return ScoreReader(scores.schema.tasks, scores.answer, in_columns=scores.model.source == IN_COLUMNS)


def _score_column(rows: "pa.Table", name: str, width: int) -> "NDArray[np.float32]":
    """Return a column of scores, float32 [B] or [B, width]; NaN where missing.

    Raises:
        DataError: it holds something else.
    """
    import pyarrow as pa

    column = rows.column(name)
    kind = pa.float32() if width == 1 else pa.list_(pa.float32(), width)
    try:
        found = column.cast(kind, safe=False).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as err:
        expected = "numbers" if width == 1 else f"lists of {width} numbers"
        raise DataError(f"column {name!r} holds {column.type}; {expected} expected as scores") from err
    if width == 1:
        return np.asarray(found.to_numpy(zero_copy_only=False), np.float32)
    scores = np.full((len(found), width), np.nan, np.float32)
    scores[np.asarray(found.is_valid())] = found.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return scores
