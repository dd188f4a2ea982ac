"""The files of a run, beside those that later steps load: what was measured, and how long it took."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from polyrank.environment import environment
from polyrank.metrics import Evaluation, Metrics
from polyrank.models import TrainedRanker
from polyrank.models.trained import content_hash, save_trained_rows
from polyrank.run_record import METRICS_FILE
from polyrank.schema import toml_text

from .config import TrainConfig
from .preparing import TrainingData
from .training import Training

TIMES_FILE = "times.json"
"""Apart from the metrics, which are the same in every run of the same seed."""

SAMPLE_ROWS = 8192
"""Validation rows that a run keeps, with their labels, for exports to be compared on."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        path: the run directory.
        run_id: content hash of schema, configuration and weights.
        evaluation: metrics of the validation rows, and what they rest on.
        epoch: whose weights are kept, from 1; the last, where no validation decides.
    """

    path: Path
    run_id: str
    evaluation: Evaluation
    epoch: int

    @property
    def metrics(self) -> Metrics:
        """All metrics of the validation rows, by task."""
        return self.evaluation.values


def write_run(stage: Path, run: Run, data: TrainingData, training: Training, config: TrainConfig) -> Run:
    """Write all files of a run, and return it with its id."""
    sample = data.validation.read((0, min(SAMPLE_ROWS, len(data.validation))))
    TrainedRanker.save(stage, training.schema, toml_text(config), training.model, sample.batch, sample.labels)
    if training.origin is None or training.known is not None:  # else rows of an older run are trained, unknown which
        save_trained_rows(stage, training.trained_rows)
    run = dataclasses.replace(run, run_id=content_hash(stage))
    _write_metrics(stage / METRICS_FILE, run, data, training)
    times = {"train_s": round(training.train_s, 3), "environment": environment()}
    (stage / TIMES_FILE).write_text(json.dumps(times, indent=2) + "\n", encoding="utf-8")
    return run


def _write_metrics(path: Path, run: Run, data: TrainingData, training: Training) -> None:
    """Write JSON; an undefined metric is null, since JSON has no NaN."""
    report = {
        "run_id": run.run_id,
        "train_rows": len(data.train),
        "validation_rows": len(data.validation),
        "data_digest": data.digest,
        "validation": run.metrics,
        "undefined": run.evaluation.undefined,
        "counts": run.evaluation.counts,
        "intervals": run.evaluation.intervals,
        "tables": {name: dataclasses.asdict(rows) for name, rows in training.table_rows.items()},
        "history": training.history,
        "kept": {name: training.kept[name] for name in ("epoch", "steps")},
    } | ({} if training.origin is None else {"warm_start": training.origin})
    path.write_text(json.dumps(_nan_to_none(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nan_to_none(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
