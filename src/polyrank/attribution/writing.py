"""Impressions with their labels, as rows that train with the schema."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polyrank.errors import DataError
from polyrank.schema import Schema

from .instants import in_unit
from .labelling import LabelColumns
from .options import JoinOptions
from .shown import RANK, REQUEST, SHOWN_AT, Shown

if TYPE_CHECKING:
    import pyarrow as pa

RESERVED = (REQUEST, SHOWN_AT, "model", "version", "arm", RANK, "rank_score", "scores", "task_weights")
"""Columns of the impression log, in their order."""


def check_apart(schema: Schema, options: JoinOptions, present: Sequence[str]) -> None:
    """Refuse impressions that have a column which a join gives.

    Raises:
        DataError: they have.
    """
    for task in schema.tasks:
        if task.label in present:
            made = f"the label of task {task.name!r}, which outcomes give"
            raise DataError(f"impressions have a column {task.label!r} already, {made}; leave it out")
    if options.position is not None and options.position in present and options.position != RANK:
        raise DataError(f"position must be no column of the impressions, got {options.position!r}; choose another name")
    if options.position is not None and RANK not in present:
        raise DataError(f"position needs a column {RANK!r}, which impressions have not; leave position out")


def labelled(schema: Schema, options: JoinOptions, rows: "pa.Table", shown: Shown, labels: LabelColumns) -> "pa.Table":
    """Return rows [N] of impressions with the columns that training needs beside them."""
    import pyarrow as pa

    columns: dict[str, Any] = {name: rows[name] for name in _ordered(schema, rows.column_names)}
    if schema.time is not None and schema.time not in (SHOWN_AT, *schema.feature_columns):
        columns[schema.time] = pa.array(in_unit(shown.times, schema.time_unit))
    if options.position is not None:
        columns[options.position] = rows[RANK]
    if schema.sample_weight is not None and schema.sample_weight not in columns:
        columns[schema.sample_weight] = pa.array(np.ones(len(shown), np.float32))
    columns |= {name: pa.array(values, mask=np.isnan(values)) for name, values in labels.items() if name not in columns}
    return pa.table(columns)


def _ordered(schema: Schema, present: Sequence[str]) -> list[str]:
    """Return columns in an order that no order of files changes: ours, those of features, others by name."""
    first = [name for name in (*RESERVED, *schema.feature_columns) if name in present]
    return [*dict.fromkeys(first), *sorted(set(present) - set(first))]
