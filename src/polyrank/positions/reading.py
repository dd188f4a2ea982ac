"""Reads from joined rows what an estimate of positions needs."""

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.errors import ConfigError, DataError, RowError
from polyrank.evaluation.influence import numbered
from polyrank.evaluation.keys import keys_of
from polyrank.impressions import RANK_SCORE, SCORES
from polyrank.labels import groups, label_matrix
from polyrank.metrics.evaluation import group_codes
from polyrank.rows import Column, columns_of
from polyrank.schema import Schema
from polyrank.spelling import suggestion
from polyrank.table import numbers
from polyrank.tasks import BinaryTask

from .options import PositionOptions
from .shown_rows import RankedRows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class PositionColumns:
    """The task and the columns of an estimate.

    Attributes:
        task: a binary one.
        rank: column of places.
        user: column of users.
        item: column of items.
        score: column of scores; None takes what the impression log has.
    """

    task: BinaryTask
    rank: str
    user: str
    item: str
    score: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that must be there."""
        named = (self.task.label, self.task.when, self.rank, self.user, self.item, self.score)
        return tuple(dict.fromkeys(name for name in named if name is not None))


def wanted_of(schema: Schema, options: PositionOptions) -> PositionColumns:
    """Choose the task and the columns.

    Raises:
        ConfigError: the schema has no such task, or users and items are not known.
    """
    keys = keys_of(schema, user=options.user, item=options.item)
    for name, key in (("user", keys.user), ("item", keys.item)):
        if key is None:
            raise ConfigError(f"{name} must be named, since the schema has no categorical feature of {name}s")
    return PositionColumns(_task(schema, options.task), options.rank, str(keys.user), str(keys.item), options.score)


def read_rows(
    schema: Schema, rows: "pa.Table", wanted: PositionColumns, max_rank: int
) -> tuple[RankedRows, NDArray[np.int64]]:
    """Return the rows with an observed label up to `max_rank`, and where they are.

    Raises:
        DataError: a column is missing or holds a wrong value, or no row is left.
    """
    columns = columns_of(rows, wanted.columns)
    ranks = _ranks(columns[wanted.rank], wanted.rank)
    labels = label_matrix(msgspec.structs.replace(schema, tasks=(wanted.task,)), columns)[:, 0]
    kept = np.flatnonzero(~np.isnan(labels) & (ranks <= max_rank))
    if not len(kept):
        raise DataError(f"no row has an observed label of task {wanted.task.name!r} at a rank up to {max_rank}")
    users, items = (
        numbered(group_codes(groups(columns[name], name)[kept]), len(kept)) for name in (wanted.user, wanted.item)
    )
    units = np.unique(users * (int(items.max()) + 1) + items, return_inverse=True)[1].reshape(-1)
    num_ranks = int(ranks[kept].max())
    found = RankedRows(labels[kept].astype(np.float64), ranks[kept] - 1, users, units, num_ranks=num_ranks)
    check_clicks(found, wanted)
    return found, kept


def read_scores(rows: "pa.Table", wanted: PositionColumns) -> NDArray[np.float32] | None:
    """Return what tells relevance, float32 [B], NaN where it is missing; None where no column does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if wanted.score is not None:
        return numbers(rows[wanted.score], wanted.score)
    if SCORES in rows.column_names and pa.types.is_map(rows[SCORES].type):
        answers = pc.map_lookup(rows[SCORES], pa.scalar(wanted.task.name), "first")
        if answers.null_count < len(answers):
            return numbers(answers, SCORES)
    return numbers(rows[RANK_SCORE], RANK_SCORE) if RANK_SCORE in rows.column_names else None


def _task(schema: Schema, name: str | None) -> BinaryTask:
    binary = {task.name: task for task in schema.tasks if isinstance(task, BinaryTask)}
    if not binary:
        raise ConfigError("task must be binary, and the schema has no such task")
    if name is not None and name not in binary:
        known = ", ".join(binary)
        raise ConfigError(f"task must be a binary one, {known}, got {name!r}{suggestion(name, list(binary))}")
    return next(iter(binary.values())) if name is None else binary[name]


def _ranks(column: Column, name: str) -> NDArray[np.int64]:
    ranks = numbers(column, name)
    wrong = ~((ranks >= 1) & (ranks == np.trunc(ranks)))
    if wrong.any():
        row = int(wrong.argmax())
        held = "is missing" if np.isnan(ranks[row]) else f"holds {ranks[row]:g}"
        raise RowError(f"column {name!r} {held}", row, "; places from 1 expected")
    return ranks.astype(np.int64)


def check_clicks(rows: RankedRows, wanted: PositionColumns, which: str = "") -> None:
    """Refuse rows where a rank has no click, of which no examination can be told.

    Args:
        rows: of all ranks.
        wanted: names the task.
        which: rows these are, as a message says it.

    Raises:
        DataError: a rank has none.
    """
    lacking = np.flatnonzero(np.bincount(rows.ranks, rows.clicks, rows.num_ranks) == 0)
    if len(lacking):
        rank = int(lacking[0]) + 1
        remedy = f"set max_rank to {rank - 1}, or give more rows" if rank > 2 else "give more rows"  # noqa: PLR2004
        raise DataError(f"rank {rank} has no label of 1 of task {wanted.task.name!r}{which}; {remedy}")
