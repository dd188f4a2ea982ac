"""What models cost: parameters, memory, time to train and time to answer."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.decoding import decode_json
from polyrank.encoder import Batch
from polyrank.models import MultiTaskRanker, TrainedRanker
from polyrank.models.trained import predict
from polyrank.run_record import CONFIG_FILE, METRICS_FILE
from polyrank.train.config import TrainConfig
from polyrank.train.optimizers import embedding_tables
from polyrank.train.run_files import TIMES_FILE
from polyrank.train.threads import torch_threads

BATCH_SIZES = (1, 100, 1000)
CALLS = 30
WARM_UP = 3

Runs = Mapping[str, Sequence[Sequence[Path]]]
"""Run directories of each model, by seed: one for all tasks, or one for each."""

Answerer = Callable[[Batch], object]
"""A model that is ready to answer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of a model, or the sum of those of the models that answer its tasks.

    Attributes:
        model: its name.
        graphs: of how many models.
        table_parameters: numbers in embedding tables.
        layer_parameters: all other numbers that are learned.
        weights_mib: of all tensors, in MiB.
        latency_ms: milliseconds to answer, the median of `CALLS` calls, by number of rows.
        train_s: seconds that training took, validation included, the median over seeds; None where it is not known.
        rows_per_s: training rows a second, each counted once for all tasks; None where it is not known.
    """

    model: str
    graphs: int
    table_parameters: int
    layer_parameters: int
    weights_mib: float
    latency_ms: Mapping[int, float]
    train_s: float | None = None
    rows_per_s: float | None = None


def torch_answerer(run: Path) -> Answerer:
    """Make a trained model ready to answer, in PyTorch."""
    model = TrainedRanker.load(run).model
    return lambda batch: predict(model, batch)


def costs_of(runs: Runs, load: Callable[[Path], Answerer] = torch_answerer) -> list[Cost]:
    """Count and measure each model; latency on one thread, of the first seed, and times of training over all seeds.

    Calls of all models take turns, so that what else the machine does slows all alike.

    Raises:
        DataError: a directory is no run.
    """
    rankers = {run: TrainedRanker.load(run) for seeds in runs.values() for run in seeds[0]}
    answerers = {run: (load(run), ranker.sample) for run, ranker in rankers.items()}
    with torch_threads(1):
        latencies = {size: _latencies(answerers, size) for size in BATCH_SIZES}
    found = []
    for name, seeds in runs.items():
        latency = {size: sum(latencies[size][run] for run in seeds[0]) for size in BATCH_SIZES}
        cost = _size(name, [rankers[run].model for run in seeds[0]], latency)
        train_s, rows_per_s = _times(seeds)
        found.append(dataclasses.replace(cost, train_s=train_s, rows_per_s=rows_per_s))
    return found


def _latencies(answerers: Mapping[Path, tuple[Answerer, Batch]], size: int) -> dict[Path, float]:
    """Return the milliseconds of each model for `size` rows."""
    taken: dict[Path, list[float]] = {run: [] for run in answerers}
    batches = {run: sample[np.arange(size) % len(sample)] for run, (_, sample) in answerers.items()}
    for index in range(-WARM_UP, CALLS):
        for run, (answer, _) in answerers.items():
            start = time.perf_counter()
            answer(batches[run])
            if index >= 0:
                taken[run].append(time.perf_counter() - start)
    return {run: 1e3 * statistics.median(times) for run, times in taken.items()}


def _size(name: str, models: Sequence[MultiTaskRanker], latency_ms: Mapping[int, float]) -> Cost:
    tables = sum(table.numel() for model in models for table in embedding_tables(model))
    learned = sum(parameter.numel() for model in models for parameter in model.parameters())
    size_bytes = sum(value.numel() * value.element_size() for model in models for value in model.state_dict().values())
    return Cost(
        model=name,
        graphs=len(models),
        table_parameters=tables,
        layer_parameters=learned - tables,
        weights_mib=size_bytes / 2**20,
        latency_ms=latency_ms,
    )


def _times(seeds: Sequence[Sequence[Path]]) -> tuple[float | None, float | None]:
    """Return seconds of training and rows a second, each the median over seeds, where all runs say them."""
    timed = [[_training(run) for run in own] for own in seeds]
    known = [[one for one in own if one is not None] for own in timed]
    if known != timed:
        return None, None
    train_s = [sum(seconds for seconds, _ in own) for own in known]
    # Of models of single tasks, a row that all have seen counts once: the mean of how many each saw.
    rates = [statistics.mean(rows for _, rows in own) / total for own, total in zip(known, train_s, strict=True)]
    return statistics.median(train_s), statistics.median(rates)


def _training(run: Path) -> tuple[float, float] | None:
    """Return the seconds of a training, and how many rows its steps took."""
    try:
        report = decode_json((run / METRICS_FILE).read_bytes(), dict[str, Any])
        config = TrainConfig.load(run / CONFIG_FILE)
        last = report["history"][-1]
        rows = min(last["steps"] * config.batch_size, last["epoch"] * report["train_rows"])
        times = decode_json((run / TIMES_FILE).read_bytes(), dict[str, Any])
        return times["train_s"], rows
    except (OSError, KeyError, IndexError, ValueError):  # a run of an older version, or copied without its metrics
        return None
