"""Reads and answers the rows of files, a piece at a time, and keeps what an evaluation needs of them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.encoder import Encoder
from polyrank.errors import DataError
from polyrank.files import SUFFIXES, UTF8, Location, Piece, Wanted, ahead, format_of, heads, list_files, scan
from polyrank.files.scan import check_present
from polyrank.halves import columns_of_halves
from polyrank.labels import groups, label_matrix, sample_weights
from polyrank.metrics.evaluation import group_codes
from polyrank.rows import columns_of
from polyrank.schema import Schema
from polyrank.times import Times

from .answered import AnsweredRows, Answerer, check_finite
from .collecting import LastRows, SampledRows
from .keys import Keys
from .options import EvaluationOptions
from .table_loads import TableLoads
from .watched import WatchedColumns

Fingerprints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class ReadRows:
    """Rows that were answered, and what the rows beside them tell.

    Attributes:
        answered: answers and labels.
        columns: of the answered rows, those that may part them, by name.
        users: int64 [B], who each row is of, as fingerprints, -1 where missing; None where no column names users.
        items: likewise.
        last_users: the last row of each user, of all rows, with the columns of features of users and context, or with
            its own alone where no catalogue is wanted; None where no column names users.
        last_items: likewise of items, with the columns of their features.
        known_users: int64, ascending: users that the model was trained on; None where that is not known.
        known_items: likewise.
        sample: some of the answered rows.
        loads: of embedding tables, by all rows.
        times: of the oldest answered row and the newest, ISO 8601 in UTC; None where the schema names no such column,
            or none is known.
    """

    answered: AnsweredRows
    columns: dict[str, pa.ChunkedArray]
    users: Fingerprints | None
    items: Fingerprints | None
    last_users: LastRows | None
    last_items: LastRows | None
    known_users: Fingerprints | None
    known_items: Fingerprints | None
    sample: SampledRows
    loads: TableLoads
    times: tuple[str, str] | None


def read_rows(
    answerer: Answerer,
    data: Location,
    options: EvaluationOptions,
    keys: Keys,
    *,
    evaluated: NDArray[np.bool_] | None = None,
) -> ReadRows:
    """Read the files of `data`, and answer their rows, or those that `evaluated` marks, bool of all rows.

    Raises:
        DataError: the files cannot be read, hold no row or others than `evaluated` marks, or do not fit the schema; or
            an answer is not finite.
        PolyrankError: as `Answerer.answer`.
    """
    reader = _Reader(answerer, options, keys, evaluated)
    _check_lines(data, reader.wanted)
    reader.read_known()
    done = 0
    for piece in ahead(scan(data, reader.wanted)):
        reader.add(piece)
        done += piece.table.num_rows
        options.progress("answer", done, None if evaluated is None else len(evaluated))
    return reader.result(data)


def _check_lines(data: Location, wanted: Wanted) -> None:
    """Refuse JSON Lines of which none has one of the columns; of other files the first to be read is refused.

    Raises:
        DataError: a column is missing.
    """
    if all(format_of(part.file).has_header for part in list_files(data, SUFFIXES)):
        return
    present = dict.fromkeys(name for piece in heads(data, wanted) for name in piece.table.column_names)
    check_present(data, list(present), wanted.columns or ())


class _Reader:
    def __init__(
        self, answerer: Answerer, options: EvaluationOptions, keys: Keys, evaluated: NDArray[np.bool_] | None
    ) -> None:
        schema = answerer.schema
        self._answerer, self._schema, self._options, self._keys = answerer, schema, options, keys
        self._evaluated, self._num_rows = evaluated, 0
        self._encoder, self._times = Encoder(schema), Times(schema)
        self._generator = np.random.default_rng(options.seed)
        self._sample = SampledRows(max(1, options.importance_rows), self._generator)
        self._loads, self._watched = TableLoads(schema), WatchedColumns(schema, options.by)
        halves = columns_of_halves(schema) if options.catalogue_users else ((), ())
        sides = zip((keys.user, keys.item), halves, strict=True)
        self._last = {name: LastRows(name, columns) for name, columns in sides if name is not None}
        self._trained: dict[str, Fingerprints] = {}
        self._known: dict[str, list[Fingerprints]] = {name: [] for name in self._last}
        self._parts: list[AnsweredRows] = []
        self._ids: dict[str, list[Fingerprints]] = {name: [] for name in self._last}
        self._moments: list[tuple[int, int]] = []
        self.wanted = Wanted(
            columns=tuple(dict.fromkeys((*schema.training_columns, *self._last, *options.by))),
            text=schema.text_columns,
            integers=schema.integer_columns,
            encoding=options.encoding or UTF8,
        )

    def read_known(self) -> None:
        """Read what the model was trained on, if that is named."""
        if self._options.known is not None:
            self._trained = known_values(self._options.known, tuple(self._last), self.wanted)

    def add(self, piece: Piece) -> None:
        """Read a piece: what is wrong with it is told with the row in its file."""
        table = piece.table
        with piece.named():
            columns = columns_of(table, table.column_names)
            self._loads.add(self._encoder.encode_columns(columns))
            labels, weights = label_matrix(self._schema, columns), sample_weights(self._schema, columns)
            ids = {name: groups(columns[name], name) for name in self._last}
            group = self._schema.group
            members = None if group is None else ids[group] if group in ids else groups(columns[group], group)
            moments = None if self._schema.time is None else self._read_times(columns[self._schema.time])
        for last in self._last.values():
            last.add(table)
        chosen = self._chosen(table.num_rows)
        for name, values in ids.items():
            self._known[name].append(np.unique(values[~chosen]))
            self._ids[name].append(values[chosen])
        if not chosen.any():
            return
        answered = table.filter(pa.array(chosen))
        self._sample.add(answered)
        self._watched.add(answered)
        if moments is not None and len(known := moments[0][chosen & moments[1]]):
            self._moments.append((int(known.min()), int(known.max())))
        with piece.named():
            answers = self._answerer.answer(answered)
            check_finite(answers, np.flatnonzero(chosen))
        self._parts.append(
            AnsweredRows(
                self._schema,
                answers,
                labels[chosen],
                None if members is None else members[chosen],
                None if weights is None else weights[chosen],
            )
        )

    def _read_times(self, column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
        """Return instants and which of them are known, both [B]; None where none is, which only a split minds."""
        known = column.is_valid().to_numpy()
        if not known.any():
            return None
        whole = column if known.all() else column.fill_null(column.drop_null()[0])
        return self._times.read(whole), known

    def _chosen(self, count: int) -> NDArray[np.bool_]:
        first, self._num_rows = self._num_rows, self._num_rows + count
        if self._evaluated is None:
            return np.ones(count, bool)
        if self._num_rows > len(self._evaluated):
            raise DataError(f"evaluated marks {len(self._evaluated):,} rows, and there are more; mark every row")
        return self._evaluated[first : self._num_rows]

    def result(self, data: Location) -> ReadRows:
        """Return what was read."""
        if self._evaluated is not None and len(self._evaluated) != self._num_rows:
            raise DataError(
                f"evaluated marks {len(self._evaluated):,} rows, and {data} holds {self._num_rows:,}; mark every row"
            )
        if not self._parts:
            raise DataError(f"{data} holds no row to evaluate")
        user, item = self._keys.user, self._keys.item
        ids = {name: np.concatenate(parts) for name, parts in self._ids.items()}
        known = self._known_values()
        return ReadRows(
            answered=_together(self._schema, self._parts),
            columns=self._watched.columns(),
            users=ids.get(user) if user else None,
            items=ids.get(item) if item else None,
            last_users=self._last.get(user) if user else None,
            last_items=self._last.get(item) if item else None,
            known_users=known.get(user) if user else None,
            known_items=known.get(item) if item else None,
            sample=self._sample,
            loads=self._loads,
            times=self._iso_times(),
        )

    def _known_values(self) -> dict[str, Fingerprints]:
        if self._options.known is not None or self._evaluated is None:
            return self._trained
        return {name: np.unique(np.concatenate(parts)) for name, parts in self._known.items()}

    def _iso_times(self) -> tuple[str, str] | None:
        if not self._moments:
            return None
        ends = min(low for low, _ in self._moments), max(high for _, high in self._moments)
        unit = self._schema.time_unit
        first, last = (str(np.datetime_as_string(np.datetime64(end, unit), unit="s")) + "Z" for end in ends)
        return first, last


def known_values(data: Location, names: Sequence[str], wanted: Wanted) -> dict[str, Fingerprints]:
    """Return the values of columns of files as fingerprints, each once, ascending."""
    found: dict[str, list[Fingerprints]] = {name: [] for name in names}
    for piece in scan(data, dataclasses.replace(wanted, columns=tuple(names))) if names else ():
        with piece.named():
            for name in names:
                found[name].append(np.unique(groups(piece.table.column(name), name)))
    return {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}


def _together(schema: Schema, parts: Sequence[AnsweredRows]) -> AnsweredRows:
    members = [part.groups for part in parts if part.groups is not None]
    weights = [part.weights for part in parts if part.weights is not None]
    return AnsweredRows(
        schema,
        {name: np.concatenate([part.answers[name] for part in parts]) for name in parts[0].answers},
        np.concatenate([part.labels for part in parts]),
        group_codes(np.concatenate(members)) if members else None,
        np.concatenate(weights) if weights else None,
    )
