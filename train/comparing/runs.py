"""Comparing runs that exist."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from polyrank.errors import ConfigError, DataError
from polyrank.files import Location, location
from polyrank.metrics import Bootstrap, Metric
from polyrank.metrics.registry import metrics_of
from polyrank.models import TrainedRanker
from polyrank.run_record import CONFIG_FILE, METRICS_FILE
from polyrank.schema import Schema
from polyrank.train.config import TrainConfig
from polyrank.train.encoded import Selection
from polyrank.train.preparing import validation_rows
from polyrank.train.threads import torch_threads
from polyrank.train.validation import answer_rows

from .differences import Change, changes
from .trainings import Comparison

MIN_RUNS = 2
LEVEL = 0.95


def compare_runs(
    runs: Sequence[str | Path], data: str | Location | None = None, *, cache: str | Path | None = None
) -> Comparison:
    """Compare runs with the first of them, in the tasks that all have.

    Args:
        runs: two run directories or more.
        data: what they were trained on, to answer their validation rows and find intervals of differences; None takes
            the metrics that were written when they were trained, which have none.
        cache: directory of encoded rows, as `fit` takes it.

    Raises:
        ConfigError: there are fewer than two runs, or one is named twice.
        DataError: a directory is no run, the runs have no task in common, or they validate on other rows.
    """
    paths = [Path(run) for run in runs]
    if len(paths) < MIN_RUNS:
        raise ConfigError(f"a comparison needs at least 2 runs, got {len(paths)}")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ConfigError(f"runs must be named once each, got {', '.join(map(str, paths))}")
    rankers = {str(path): TrainedRanker.load(path) for path in paths}
    schema = _common_schema({name: ranker.schema for name, ranker in rankers.items()})
    if data is None:
        rows, found = _written(paths, schema)
    else:
        rows, found = _answered(rankers, schema, location(data), None if cache is None else Path(cache))
    return Comparison(
        baseline=str(paths[0]),
        rows=rows,
        seeds=1,
        level=LEVEL,
        changes=found,
        runs={str(path): [[path]] for path in paths},
    )


def _common_schema(schemas: Mapping[str, Schema]) -> Schema:
    """Return the schema of the first run, with the tasks that mean the same in all."""
    first, *others = schemas.values()
    described = [[msgspec.structs.replace(task, weight=1.0) for task in schema.tasks] for schema in others]
    common = [
        task for task in first.tasks if all(msgspec.structs.replace(task, weight=1.0) in tasks for tasks in described)
    ]
    if not common:
        raise DataError(f"runs {', '.join(schemas)} have no task in common; compare runs of the same tasks")
    return msgspec.structs.replace(first, tasks=tuple(common))


def _written(paths: Sequence[Path], schema: Schema) -> tuple[int, list[Change]]:
    """Read what was measured when the runs were trained."""
    reports = [_report(path) for path in paths]
    counts = [report["validation_rows"] for report in reports]
    _require_one_count(paths, counts)
    return counts[0], [
        _change(task.name, metric, str(path), (reports[0], report))
        for task in schema.tasks
        for metric in metrics_of(task, grouped=schema.group is not None)
        if metric.is_headline
        for path, report in zip(paths[1:], reports[1:], strict=True)
    ]


def _report(path: Path) -> Any:
    try:
        return json.loads((path / METRICS_FILE).read_bytes())
    except (OSError, ValueError, RecursionError) as err:
        raise DataError(f"{path / METRICS_FILE} cannot be read; give the data, to measure anew: --data") from err


def _change(task: str, metric: Metric, model: str, reports: tuple[Any, Any]) -> Change:
    values = [report["validation"].get(task, {}).get(metric.name) for report in reports]
    first, second = (float("nan") if value is None else float(value) for value in values)
    return Change(
        task=task,
        metric=metric.name,
        best=metric.best,
        model=model,
        values=(second,),
        baseline=(first,),
        difference=second - first,
    )


def _answered(
    rankers: Mapping[str, TrainedRanker], schema: Schema, data: Location, cache: Path | None
) -> tuple[int, list[Change]]:
    """Answer the validation rows of each run, and compare the answers."""
    configs = {name: TrainConfig.load(Path(name) / CONFIG_FILE) for name in rankers}
    validating = {
        name: validation_rows(ranker.schema, data, configs[name], cache=cache) for name, ranker in rankers.items()
    }
    _require_same_rows(validating)
    answered = {}
    for name, ranker in rankers.items():
        with torch_threads(configs[name].threads):
            answered[name] = answer_rows(ranker.model, validating[name])
    first = next(iter(rankers))
    tasks = [task.name for task in rankers[first].schema.tasks]
    rows, answers = answered[first], {name: [one.answers] for name, one in answered.items()}
    labels = rows.labels[:, [tasks.index(task.name) for task in schema.tasks]]
    bootstrap = Bootstrap(level=LEVEL, resamples=max(1, configs[first].validation.resamples), seed=configs[first].seed)
    return len(labels), changes(schema, answers, dataclasses.replace(rows, labels=labels), bootstrap)


def _require_same_rows(validating: Mapping[str, Selection]) -> None:
    first, *others = validating
    for other in others:
        if not np.array_equal(validating[first].rows, validating[other].rows):
            raise DataError(
                f"runs {first} and {other} validate on other rows; compare runs of the same [validation], and of the "
                f"same seed where the split is random"
            )


def _require_one_count(paths: Sequence[Path], counts: Sequence[int]) -> None:
    for path, count in zip(paths, counts, strict=True):
        if count != counts[0]:
            raise DataError(
                f"{path} validated on {count:,} rows and {paths[0]} on {counts[0]:,}; compare runs of the same data "
                f"and [validation]"
            )
