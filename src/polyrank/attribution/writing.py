"""Impressions with their labels, as rows that train with the schema."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import ConfigError, DataError
from polyrank.halves import columns_of_halves
from polyrank.impressions import RANK, RESERVED, SHOWN_AT
from polyrank.positions import Positions
from polyrank.schema import Schema
from polyrank.table import numbers
from polyrank.tasks import BinaryTask

from .instants import Instants, in_unit
from .items import ItemTable
from .labelling import LabelColumns
from .options import JoinOptions

if TYPE_CHECKING:
    import pyarrow as pa


class Labeller:
    """Adds to impressions the columns that training needs beside them.

    Attributes:
        item: column of items.
        items: what is known of them; None where impressions have it all.
    """

    def __init__(self, schema: Schema, options: JoinOptions, item: str, items: ItemTable | None) -> None:
        self._schema, self._position = schema, options.position
        self.item, self.items = item, items
        self._positions = None if options.positions is None else Positions.load(options.positions)
        self._label = "" if self._positions is None else _label(schema, self._positions)

    def check(self, present: Collection[str]) -> None:
        """Refuse impressions that have a column which a join gives, or lack one that it needs.

        Raises:
            ConfigError: positions are given, and the schema has no column of weights; or the column for the place is
                another one of the schema.
            DataError: impressions have, or lack, such a column.
        """
        for task in self._schema.tasks:
            if task.label in present:
                made = f"the label of task {task.name!r}, which outcomes give"
                raise DataError(f"impressions have a column {task.label!r}, {made}; leave it out")
        self._check_position()
        if self._positions is not None and self._schema.sample_weight is None:
            raise ConfigError(
                "positions need a column for the weights, and the schema has none; "
                'add sample_weight = "weight" to the schema'
            )
        for name, given in (("position", self._position), ("positions", self._positions)):
            if given is not None and RANK not in present:
                raise DataError(f"{name} needs the column {RANK!r}, which impressions have not")
        weight = None if self._positions is None else self._schema.sample_weight
        # A feature of the place is asked with one place for all items, and learned with the one that each was shown at.
        asked = {RANK, *columns_of_halves(self._schema)[0]}
        for name, column in (("position", None if self._position in asked else self._position), ("positions", weight)):
            if column is not None and column in present:
                raise DataError(f"impressions have a column {column!r}, which a join gives with {name}; leave it out")

    def add(self, rows: "pa.Table", times: Instants, labels: LabelColumns) -> "pa.Table":
        """Return the rows [N] with all columns; labels are float32 [N] each."""
        import pyarrow as pa

        columns: dict[str, Any] = {name: rows[name] for name in rows.column_names}
        if self.items is not None:
            columns |= self.items.of(rows[self.item])
        columns = _ordered(self._schema, columns)
        time, weight = self._schema.time, self._schema.sample_weight
        if time is not None and time not in (SHOWN_AT, *self._schema.feature_columns):
            columns[time] = pa.array(in_unit(times, self._schema.time_unit))
        if self._position is not None:
            columns[self._position] = rows[RANK]
        if weight is not None and weight not in columns:
            columns[weight] = pa.array(self._weights(rows, labels))
        for name, values in labels.items():
            columns[name] = pa.array(values, mask=np.isnan(values))
        return pa.table(columns)

    def _check_position(self) -> None:
        schema = self._schema
        taken = {task.label: f"a label (task {task.name!r})" for task in schema.tasks}
        taken |= {
            name: what for name, what in ((schema.time, "the time"), (schema.sample_weight, "the weight")) if name
        }
        if self._position in taken:
            what = f"{self._position!r}, which is {taken[self._position]} of the schema"
            raise ConfigError(f"position must be a column of its own, got {what}; choose another name")

    def _weights(self, rows: "pa.Table", labels: LabelColumns) -> NDArray[np.float32]:
        """Weigh clicks by their inverse propensity, and all other rows by 1.

        Joachims, Swaminathan and Schnabel, Unbiased Learning-to-Rank with Biased Feedback, WSDM 2017: a click tells of
        relevance as often as it was looked at; no click tells the same wherever it was not.
        """
        weights = np.ones(rows.num_rows, np.float32)
        if self._positions is not None:
            clicked = np.flatnonzero(labels[self._label] == 1)
            weights[clicked] = self._positions.weights(_places(rows, clicked))
        return weights


def _places(rows: "pa.Table", clicked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where clicked rows were shown, int64 [clicked].

    Raises:
        DataError: it is missing, or not from 1.
    """
    shown = rows.select([RANK, SHOWN_AT]).take(clicked)
    found = numbers(shown[RANK], RANK)
    wrong = ~(found >= 1)
    if wrong.any():
        row = int(wrong.argmax())
        held = "is missing" if np.isnan(found[row]) else f"holds {found[row]:g}"
        raise DataError(
            f"column {RANK!r} {held} for a click on what was shown at {shown[SHOWN_AT][row]}; places from 1 expected, "
            "by which positions weigh clicks"
        )
    return found.astype(np.int64)


def _ordered(schema: Schema, columns: dict[str, Any]) -> dict[str, Any]:
    """Return columns in an order that no order of files changes: ours, those of features, others by name."""
    names = dict.fromkeys((*RESERVED, *schema.feature_columns, *sorted(columns)))
    return {name: columns[name] for name in names if name in columns}


def _label(schema: Schema, positions: Positions) -> str:
    labels = {task.name: task.label for task in schema.tasks if isinstance(task, BinaryTask)}
    if positions.task not in labels:
        known = f"binary tasks of the schema are {', '.join(labels)}"
        raise ConfigError(f"positions must be of a binary task of the schema, got {positions.task!r}; {known}")
    return labels[positions.task]
