"""Rows and a schema in, both sides of the split out, and what is fitted on the training side."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.files import Location, RemotePath, Wanted, location, scan
from polyrank.labels import mean_weight
from polyrank.models import ModelConfig
from polyrank.models.architectures import num_inputs
from polyrank.models.memory import require_memory
from polyrank.rows import Rows, columns_of
from polyrank.schema import Schema

from .base_rates import BaseRates
from .config import TrainConfig
from .encoded import (
    DamagedRowsError,
    MemoryStorage,
    RowEncoder,
    Selection,
    Storage,
    cached_rows,
    open_shards,
)
from .processes import ALONE, Processes, ranks_of_machine
from .splits import SplitKeys, held_out
from .statistics import NumberSample, fit_statistics
from .warnings import warn_no_chain, warn_one_class

Progress = Callable[[int], object]
Found = TypeVar("Found")


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Encoded rows of both sides of the split.

    Attributes:
        schema: with statistics fitted on the training side.
        train: rows to train on.
        validation: rows to validate on.
        mean_weight: of the training rows' sample weights, 1 where there are none.
        base_logits: of each task, float32 (num_logits,): where its outputs start from.
        label_shares: float32 (T,), how many training rows have a label of each task, as a share of those of the task
            with most.
    """

    schema: Schema
    train: Selection
    validation: Selection
    mean_weight: float
    base_logits: tuple[NDArray[np.float32], ...]
    label_shares: NDArray[np.float32]

    @property
    def digest(self) -> str:
        """Hexadecimal digits that stand for the rows of both sides."""
        return self.train.digest()


def prepare(
    schema: Schema,
    data: str | Location | Rows,
    config: TrainConfig,
    *,
    cache: Path | None = None,
    progress: Progress = lambda _rows: None,
    processes: Processes = ALONE,
) -> TrainingData:
    """Encode rows, split them and fit statistics.

    Rows of files are encoded into a file of `cache`, from which they are read while they train; see `fit`. Of
    the processes of a machine one does so, and the others read them too. A folder of shards is read as it is.

    Raises:
        ConfigError: the architecture needs a chain of tasks, and the schema has none.
        DataError: the data cannot be read, or do not fit the schema; the message names the file.
        OutputError: `cache` cannot be written.
        SchemaError: the embedding tables take more memory than there is.
    """
    schema = schema.resolved()
    config.model.chained_tasks(schema)  # this and the next refuse before rows are read
    require_table_memory(schema, config)
    if not isinstance(data, str | Path | RemotePath):
        return _split(schema, MemoryStorage(RowEncoder(schema, config.validation).encode(data)), config)
    path = location(data)
    if isinstance(path, Path) and (shards := open_shards(path, schema, config)) is not None:
        return _named(path, lambda: _split(schema, shards, config))

    def split() -> TrainingData:
        stored = processes.in_turn(lambda: cached_rows(schema, path, config, cache, progress))
        return _named(path, lambda: _split(schema, stored, config))

    found = None
    with contextlib.suppress(DamagedRowsError):
        found = split()
    if processes.any(found is None):  # what was damaged is encoded anew, which all wait for
        found = split()
    assert found is not None  # noqa: S101 (tells the type checker)
    return found


def validation_rows(schema: Schema, data: Location, config: TrainConfig, *, cache: Path | None = None) -> Selection:
    """Return the encoded rows of files that a training on them validates on, with nothing fitted; see `prepare`.

    Raises:
        DataError: the data cannot be read, or do not fit the schema; the message names the file.
        OutputError: `cache` cannot be written.
    """
    schema = schema.resolved()
    shards = open_shards(data, schema, config) if isinstance(data, Path) else None

    def validating() -> Selection:
        stored = shards or cached_rows(schema, data, config, cache, lambda _rows: None)
        for index in range(len(stored.lengths)):
            stored.piece(index)  # says what is damaged
            stored.release()
        return _named(data, lambda: Selection(stored, _validates(schema, stored, config)[0]))

    try:
        return validating()
    except DamagedRowsError:
        return validating()


def with_base_rates(data: TrainingData, config: ModelConfig) -> TrainingData:
    """Return rows that were prepared for one architecture with the base rates of another, whose labels may mean else.

    Raises:
        ConfigError: the architecture needs a chain of tasks, and the schema has none.
    """
    rates = BaseRates(data.schema, config)
    for rows in data.train.chunks():
        rates.add(rows.labels, rows.sample_weights)
    return dataclasses.replace(data, base_logits=rates.logits(), label_shares=rates.label_shares())


def require_table_memory(schema: Schema, config: TrainConfig) -> None:
    """Refuse embedding tables that do not fit into memory with what is kept of each weight beside it, on each rank.

    Raises:
        SchemaError: they do not.
    """
    copies, row_numbers = 1, 0
    if config.optimizer.embedding == "sparse_adam":
        copies += 2  # two moments
    else:
        row_numbers += 1
    if config.ema_decay is not None:
        copies += 2  # averages, and room to exchange them with the weights
    if config.keeps_best:
        copies += 1  # the best weights so far
    tables = num_inputs(schema, config.model)
    advice = "; with a number of $.epochs no second copy is kept" if config.early_stopping is None else ""
    advice = advice if config.keeps_best else ""
    ranks, what = ranks_of_machine(), "training"
    if ranks > 1:  # each has tables of its own, and none has made them yet
        what, advice = f"training in {ranks} processes of this machine", f", or start fewer processes{advice}"
    tables *= ranks
    require_memory(schema, what, copies=copies * tables, row_numbers=row_numbers * tables, advice=advice)


def _named(data: Location, found: Callable[[], Found]) -> Found:
    """Return what is found in the rows of files; what is wrong with them is told with their name."""
    try:
        return found()
    except DamagedRowsError:
        raise
    except DataError as err:
        raise DataError(f"{data}: {err}") from err


def _split(schema: Schema, storage: Storage, config: TrainConfig) -> TrainingData:
    validates, generator = _validates(schema, storage, config)
    train, validation = Selection(storage, ~validates), Selection(storage, validates)
    rates = BaseRates(schema, config.model)
    fitted, mean = _fitted(schema, train, generator, rates)
    return TrainingData(fitted, train, validation, mean, rates.logits(), rates.label_shares())


def _validates(schema: Schema, storage: Storage, config: TrainConfig) -> tuple[NDArray[np.bool_], np.random.Generator]:
    return _held_out(schema, config, _split_keys(storage), sum(storage.lengths))


def validation_marks(schema: Schema, data: Location, config: TrainConfig) -> NDArray[np.bool_]:
    """Return which rows of files a training on them validates on, bool of all rows, without encoding them.

    Raises:
        DataError: the files cannot be read, or lack what the split looks at.
    """
    keys = SplitKeys(schema, config.validation)
    columns = keys.columns or schema.training_columns[:1]
    wanted = Wanted(
        columns=columns, text=schema.text_columns, integers=schema.integer_columns, encoding=config.encoding
    )
    parts, count = [], 0
    for piece in scan(data, wanted):
        with piece.named():
            read = keys.read(columns_of(piece.table, columns))
        count += piece.table.num_rows
        parts += [] if read is None else [read]
    try:
        return _held_out(schema, config, np.concatenate(parts) if parts else None, count)[0]
    except DataError as err:
        raise DataError(f"{data}: {err}") from err


def _held_out(
    schema: Schema, config: TrainConfig, keys: NDArray[np.int64] | None, count: int
) -> tuple[NDArray[np.bool_], np.random.Generator]:
    """Mark the rows that validate, and return the generator that drew them, which draws on."""
    seed = config.validation.seed
    generator = np.random.default_rng(config.seed if seed is None else seed)
    return held_out(schema, config.validation, keys, count, generator), generator


def _split_keys(storage: Storage) -> NDArray[np.int64] | None:
    parts = []
    for index in range(len(storage.lengths)):
        keys = storage.piece(index).split_keys
        if keys is None:
            return None
        parts.append(keys.copy())
        storage.release()
    return np.concatenate(parts)


def _fitted(schema: Schema, train: Selection, generator: np.random.Generator, rates: BaseRates) -> tuple[Schema, float]:
    """Look once at all training rows: for statistics, for tasks without a label, for the unit of the weights."""
    sample = NumberSample(schema, len(train), generator)
    lowest = np.full(len(schema.tasks), np.inf, np.float32)
    highest = -lowest
    weights = []
    for rows in train.chunks():
        sample.add(rows.dense)
        rates.add(rows.labels, rows.sample_weights)
        lowest = np.fmin(lowest, np.fmin.reduce(rows.labels, axis=0, initial=np.inf))
        highest = np.fmax(highest, np.fmax.reduce(rows.labels, axis=0, initial=-np.inf))
        if rows.sample_weights is not None:
            weights.append(rows.sample_weights)
    for task, observed in zip(schema.tasks, lowest <= highest, strict=True):
        if not observed:
            where = "" if task.when is None else f" where {task.when!r} is 1"
            raise DataError(
                f"label column {task.label!r} has no observed value to train on{where} (task {task.name!r}); "
                f"leave the task out, or bring rows that have one"
            )
    warn_one_class(schema.tasks, lowest, highest)
    warn_no_chain(rates.out_of_order())
    mean = mean_weight(schema, np.concatenate(weights)) if weights else 1.0
    return fit_statistics(schema, sample.numbers), mean
