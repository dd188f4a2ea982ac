"""`fit`: rows and a schema in, a run directory out."""

import dataclasses
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyrank.encoder import Batch, Encoder
from polyrank.errors import DataError
from polyrank.models import MultiTaskRanker, TrainedRanker
from polyrank.models.neighbors import load_neighbors
from polyrank.models.trained import content_hash, predict
from polyrank.rows import Rows, columns_of, num_rows
from polyrank.schema import Schema, toml_text
from polyrank.staging import refuse_existing, staged_directory

from .config import TrainConfig
from .labels import Targets, label_matrix, relative_weights, sample_weights
from .loop import diverged, train_epochs
from .metrics import Metrics, evaluate
from .neighbors import fit_neighbors
from .sources import read_rows
from .splits import groups, split_columns, split_rows
from .statistics import fit_statistics
from .threads import torch_threads

METRICS_FILE = "metrics.json"
SAMPLE_ROWS = 1000

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        path: the run directory.
        run_id: content hash of schema, configuration and weights.
        metrics: of the validation rows, by task.
    """

    path: Path
    run_id: str
    metrics: Metrics


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Encoded rows of both sides of the split, and the schema with statistics fitted on the training side.

    Attributes:
        validation_rows: which rows validate, ascending.
        validation_groups: the group of each, -1 where it has none; None where the schema names no group column.
    """

    schema: Schema
    train: Batch
    targets: Targets
    validation: Batch
    validation_labels: NDArray[np.float32]
    validation_rows: NDArray[np.int64]
    validation_groups: NDArray[np.int64] | None


def fit(
    schema: Schema,
    data: str | Path | Rows,
    *,
    out: str | Path,
    config: TrainConfig | None = None,
    progress: bool = True,
) -> Run:
    """Train a multi-task ranker and write a run directory, which appears whole or not at all.

    Args:
        schema: features and tasks.
        data: a file, a directory or pattern of files (docs/data.md lists the formats), or rows in memory.
        out: the run directory to make; must not exist or be empty.
        config: how to train; None takes the defaults.
        progress: show a bar on standard error, when that is a terminal.

    Raises:
        DataError: the data cannot be read, or do not fit the schema.
        OutputError: `out` exists or cannot be written.
    """
    config = config or TrainConfig()
    target = Path(out)
    refuse_existing(target)
    with staged_directory(target) as stage:
        prepared = prepare(schema, data, config)
        model, history = _train(prepared, config, progress=progress)
        sample = prepared.validation[:SAMPLE_ROWS]
        TrainedRanker.save(stage, prepared.schema, toml_text(config), model, sample)
        run = Run(target, content_hash(stage), history[-1]["validation"])
        _write_metrics(stage / METRICS_FILE, run, prepared, history)
    return run


def prepare(schema: Schema, data: str | Path | Rows, config: TrainConfig) -> TrainingData:
    """Read, split and encode rows.

    Raises:
        DataError: the data cannot be read, or do not fit the schema; the message names the file.
    """
    schema = schema.resolved()
    if not isinstance(data, str | Path):
        return _prepare_rows(schema, data, config)
    rows = read_rows(
        data,
        columns=_columns(schema, config),
        text=schema.text_columns,
        integers=schema.integer_columns,
        encoding=config.encoding,
    )
    try:
        return _prepare_rows(schema, rows, config)
    except DataError as err:
        raise DataError(f"{data}: {err}") from err


def _columns(schema: Schema, config: TrainConfig) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*schema.training_columns, *split_columns(schema, config.validation))))


def _prepare_rows(schema: Schema, rows: Rows, config: TrainConfig) -> TrainingData:
    columns = columns_of(rows, _columns(schema, config))
    generator = np.random.default_rng(config.seed)
    train, validation = split_rows(schema, columns, num_rows(columns), config.validation, generator)
    labels, weights = label_matrix(schema, columns), sample_weights(schema, columns)
    batch = Encoder(schema, strict=True).encode_columns(columns)
    _require_labels(schema, labels[train])
    fitted = fit_statistics(schema, batch.dense[train])
    return TrainingData(
        schema=fitted,
        train=batch[train],
        targets=Targets(labels[train], None if weights is None else relative_weights(schema, weights[train])),
        validation=batch[validation],
        validation_labels=labels[validation],
        validation_rows=validation,
        validation_groups=None if schema.group is None else groups(columns[schema.group], schema.group)[validation],
    )


def _require_labels(schema: Schema, labels: NDArray[np.float32]) -> None:
    for index, task in enumerate(schema.tasks):
        if np.isnan(labels[:, index]).all():
            raise DataError(f"label column {task.label!r} has no observed value to train on (task {task.name!r})")


def _train(data: TrainingData, config: TrainConfig, *, progress: bool) -> tuple[MultiTaskRanker, list[dict[str, Any]]]:
    """Train from seeded initial weights; return the model and what each epoch gave."""
    history: list[dict[str, Any]] = []
    with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = MultiTaskRanker(data.schema, config.model)
        load_neighbors(model, fit_neighbors(data.schema, [(data.train.ids, data.targets.labels)], progress=progress))

        def validate(epoch: int, losses: dict[str, float]) -> None:
            answers = predict(model, data.validation)
            _require_finite(answers, epoch)
            metrics = evaluate(data.schema, answers, data.validation_labels, data.validation_groups)
            history.append({"epoch": epoch, "train_loss": losses, "validation": metrics})
            logger.info("epoch %d of %d: %s", epoch, config.epochs, describe(metrics))

        train_epochs(model, data.train, data.targets, config, progress=progress, after_epoch=validate)
    _warn_undefined(history[-1]["validation"])
    return model.eval(), history


def _require_finite(answers: Mapping[str, NDArray[np.float32]], epoch: int) -> None:
    for name, values in answers.items():
        if not np.isfinite(values).all():
            raise diverged(f"the answers of task {name!r} are not finite", epoch)


def describe(metrics: Metrics) -> str:
    """Say metrics in one line: `click auc 0.7000, watch_ratio rmse 0.9000`."""
    return ", ".join(f"{task} {name} {value:.4f}" for task, values in metrics.items() for name, value in values.items())


def _warn_undefined(metrics: Metrics) -> None:
    for task, values in metrics.items():
        for name, value in values.items():
            if math.isnan(value):
                logger.warning(
                    "%s of task %r is undefined: its validation labels are absent or of one class", name, task
                )


def _write_metrics(path: Path, run: Run, data: TrainingData, history: list[dict[str, Any]]) -> None:
    """Write JSON; an undefined metric is null, since JSON has no NaN."""
    report = {
        "run_id": run.run_id,
        "train_rows": len(data.train),
        "validation_rows": len(data.validation),
        "validation": run.metrics,
        "history": history,
    }
    path.write_text(json.dumps(_nan_to_none(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nan_to_none(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
