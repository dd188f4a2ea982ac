"""Rows and a schema in, both sides of the split out, and what is fitted on the training side."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.rows import Rows
from polyrank.schema import Schema

from .config import TrainConfig
from .encoded import DamagedRowsError, MemoryStorage, RowEncoder, Selection, Storage, cached_rows
from .labels import mean_weight
from .splits import held_out
from .statistics import NumberSample, fit_statistics

Progress = Callable[[int], object]


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Encoded rows of both sides of the split.

    Attributes:
        schema: with statistics fitted on the training side.
        train: rows to train on.
        validation: rows to validate on.
        mean_weight: of the training rows' sample weights, 1 where there are none.
    """

    schema: Schema
    train: Selection
    validation: Selection
    mean_weight: float


def prepare(
    schema: Schema,
    data: str | Path | Rows,
    config: TrainConfig,
    *,
    cache: Path | None = None,
    progress: Progress = lambda _rows: None,
) -> TrainingData:
    """Encode rows, split them and fit statistics.

    Rows of files are encoded into a file of `cache`, from which they are read while they train; see `fit`.

    Raises:
        DataError: the data cannot be read, or do not fit the schema; the message names the file.
        OutputError: `cache` cannot be written.
    """
    schema = schema.resolved()
    if not isinstance(data, str | Path):
        storage: Storage = MemoryStorage(RowEncoder(schema, config.validation).encode(data))
        return _split(schema, storage, config)
    try:
        return _prepare_files(schema, Path(data), config, cache, progress)
    except DamagedRowsError:
        return _prepare_files(schema, Path(data), config, cache, progress)  # which encodes anew


def _prepare_files(
    schema: Schema, data: Path, config: TrainConfig, cache: Path | None, progress: Progress
) -> TrainingData:
    stored = cached_rows(schema, data, config, cache, progress)
    try:
        return _split(schema, stored, config)
    except DamagedRowsError:
        raise
    except DataError as err:
        raise DataError(f"{data}: {err}") from err


def _split(schema: Schema, storage: Storage, config: TrainConfig) -> TrainingData:
    seed = config.validation.seed
    generator = np.random.default_rng(config.seed if seed is None else seed)
    validates = held_out(schema, config.validation, _split_keys(storage), sum(storage.lengths), generator)
    train, validation = Selection(storage, ~validates), Selection(storage, validates)
    fitted, mean = _fitted(schema, train, generator)
    return TrainingData(fitted, train, validation, mean)


def _split_keys(storage: Storage) -> NDArray[np.int64] | None:
    parts = []
    for index in range(len(storage.lengths)):
        keys = storage.piece(index).split_keys
        if keys is None:
            return None
        parts.append(keys.copy())
        storage.release()
    return np.concatenate(parts)


def _fitted(schema: Schema, train: Selection, generator: np.random.Generator) -> tuple[Schema, float]:
    """Look once at all training rows: for statistics, for tasks without a label, for the unit of the weights."""
    sample = NumberSample(schema, len(train), generator)
    is_observed = np.zeros(len(schema.tasks), bool)
    weights = []
    for rows in train.chunks():
        sample.add(rows.dense)
        is_observed |= ~np.isnan(rows.labels).all(axis=0)
        if rows.sample_weights is not None:
            weights.append(rows.sample_weights)
    for task, observed in zip(schema.tasks, is_observed, strict=True):
        if not observed:
            where = "" if task.when is None else f" where {task.when!r} is 1"
            raise DataError(
                f"label column {task.label!r} has no observed value to train on{where} (task {task.name!r}); "
                f"leave the task out, or bring rows that have one"
            )
    mean = mean_weight(schema, np.concatenate(weights)) if weights else 1.0
    return fit_statistics(schema, sample.numbers), mean
