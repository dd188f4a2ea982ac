"""`fit`: rows and a schema in, a run directory out."""

import dataclasses
import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from polyrank.models import MultiTaskRanker, TrainedRanker
from polyrank.models.neighbors import load_neighbors
from polyrank.models.trained import content_hash
from polyrank.rows import Rows
from polyrank.schema import Schema, toml_text
from polyrank.staging import refuse_existing, staged_directory

from .balancing import build_balancer
from .config import TrainConfig
from .metrics import Bootstrap, Evaluation, Metrics
from .neighbors import fit_neighbors
from .preparing import TrainingData, prepare
from .task_weights import weighted
from .threads import torch_threads
from .training import OnValidation, Training
from .validation import validate

METRICS_FILE = "metrics.json"
SAMPLE_ROWS = 1000
BYTES_PER_MB = 2**20
FEW_STEPS = 50
"""Below this many gradient steps a model has hardly left its initial weights, so the trainer says so."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        path: the run directory.
        run_id: content hash of schema, configuration and weights.
        evaluation: metrics of the validation rows, and what they rest on.
    """

    path: Path
    run_id: str
    evaluation: Evaluation

    @property
    def metrics(self) -> Metrics:
        """All metrics of the validation rows, by task."""
        return self.evaluation.values


def fit(
    schema: Schema,
    data: str | Path | Rows,
    *,
    out: str | Path,
    config: TrainConfig | None = None,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Train a multi-task ranker and write a run directory, which appears whole or not at all.

    Args:
        schema: features and tasks.
        data: a file, a directory or pattern of files (docs/data.md lists the formats), or rows in memory.
        out: the run directory to make; must not exist or be empty.
        config: how to train; None takes the defaults.
        cache: directory of encoded rows, in which those of files are kept for the next run; None is `encoded` in the
            user's cache folder (`$POLYRANK_CACHE_DIR`).
        progress: show bars on standard error, when that is a terminal.

    Raises:
        ConfigError: the way of balancing losses does not go with the schema's tasks.
        MissingExtraError: it needs the extra `balancing`.
        DataError: the data cannot be read, or do not fit the schema.
        OutputError: `out` exists, or it or `cache` cannot be written.
    """
    config = config or TrainConfig()
    target = Path(out)
    refuse_existing(target)
    schema = weighted(schema, config.task_weights)
    build_balancer(config.balancing, schema.tasks, seed=config.seed)  # refuses before hours of encoding
    with staged_directory(target) as stage:
        with _bar("encode", "row", shown=progress) as bar:
            prepared = prepare(schema, data, config, cache=None if cache is None else Path(cache), progress=bar.update)
        return _fit(prepared, config, stage, target, progress=progress)


def fit_prepared(data: TrainingData, *, out: Path, config: TrainConfig, progress: bool = True) -> Run:
    """Train on rows that are encoded and split already, as `fit` does.

    Raises:
        DataError: the training diverged.
        OutputError: `out` exists, or cannot be written.
    """
    with staged_directory(out) as stage:
        return _fit(data, config, stage, out, progress=progress)


def _fit(data: TrainingData, config: TrainConfig, stage: Path, target: Path, *, progress: bool) -> Run:
    data = dataclasses.replace(data, schema=weighted(data.schema, config.task_weights))
    start = time.perf_counter()
    training = train_model(data, config, progress=progress)
    train_s = time.perf_counter() - start
    sample = data.validation.read((0, min(SAMPLE_ROWS, len(data.validation)))).batch
    TrainedRanker.save(stage, data.schema, toml_text(config), training.model, sample)
    run = Run(target, content_hash(stage), _final_evaluation(training, data, config))
    _warn_undefined(run.evaluation)
    _write_metrics(stage / METRICS_FILE, run, data, training.history, train_s)
    return run


def _bar(what: str, unit: str, *, shown: bool) -> "tqdm[Any]":
    return tqdm(desc=what, unit=unit, unit_scale=True, delay=2.0, disable=None if shown else True)


def train_model(
    data: TrainingData, config: TrainConfig, *, progress: bool, on_validation: OnValidation | None = None
) -> Training:
    """Train from seeded initial weights; `on_validation` is told of each validation, and ends the training by raising.

    Raises:
        DivergedError: a loss or an answer is no longer finite.
    """
    with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = MultiTaskRanker(data.schema, config.model)
        engagements = ((rows.ids, rows.labels) for rows in data.train.chunks())
        load_neighbors(model, fit_neighbors(data.schema, engagements, progress=progress))
        training = Training(model, data, config, on_validation)
        training.run(progress=progress)
    return training


def _final_evaluation(training: Training, data: TrainingData, config: TrainConfig) -> Evaluation:
    """Validate the model that is kept, with confidence intervals of the metrics that are worth a line."""
    resamples = config.validation.resamples
    intervals = Bootstrap(resamples=resamples, seed=config.seed, headline_only=True) if resamples else None
    with torch_threads(config.threads):
        return validate(training.model, data, training.at.epoch, intervals)


def _warn_undefined(evaluation: Evaluation) -> None:
    for task, reasons in evaluation.undefined.items():
        for reason in dict.fromkeys(reasons.values()):
            names = ", ".join(name for name, found in reasons.items() if found == reason)
            logger.warning("task %r has no validation %s: %s", task, names, reason)


def _write_metrics(path: Path, run: Run, data: TrainingData, history: list[dict[str, Any]], train_s: float) -> None:
    """Write JSON; an undefined metric is null, since JSON has no NaN."""
    report = {
        "run_id": run.run_id,
        "train_rows": len(data.train),
        "validation_rows": len(data.validation),
        "train_s": train_s,
        "validation": run.metrics,
        "undefined": run.evaluation.undefined,
        "counts": run.evaluation.counts,
        "intervals": run.evaluation.intervals,
        "history": history,
    }
    path.write_text(json.dumps(_nan_to_none(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nan_to_none(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
