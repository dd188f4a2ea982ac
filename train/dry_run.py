"""What a training would take, without training: rows, parameters, memory and time."""

import dataclasses
import itertools
import time
from pathlib import Path

import torch

from polyrank.files import Location
from polyrank.models import MultiTaskRanker
from polyrank.models.ranker import Inputs
from polyrank.rows import Rows
from polyrank.schema import Schema

from .compilation import STEPS_BEFORE
from .config import TrainConfig
from .preparing import prepare
from .starting import check_choices
from .task_weights import weighted
from .threads import torch_threads
from .training import Training, stepping
from .warm.tables import own_tables

MEASURED_STEPS = STEPS_BEFORE
"""Those before layers are compiled; the first two are left out, since they allocate."""

_WARM_UP = 2
_MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a training would take.

    Attributes:
        train_rows: rows to train on.
        validation_rows: rows to validate on.
        steps_per_epoch: batches of an epoch.
        table_parameters: of each feature's embedding table; of all together, where tasks have tables of their own.
        layer_parameters: of everything else.
        memory_mb: MiB of `weights`, `optimizer` state, `averages`, `best_weights` (the copy of the best so far, where
            training may end early) and encoded `rows` in memory. Activations of a batch and the process itself (about
            400 MiB) come on top.
        epoch_s: seconds of an epoch's steps, estimated from a few; None where an epoch has too few.
        compiles: whether layers would be compiled, which the estimate leaves out.
    """

    train_rows: int
    validation_rows: int
    steps_per_epoch: int
    table_parameters: dict[str, int]
    layer_parameters: int
    memory_mb: dict[str, float]
    epoch_s: float | None
    compiles: bool


def dry_run(
    schema: Schema, data: str | Location | Rows, *, config: TrainConfig | None = None, cache: str | Path | None = None
) -> Plan:
    """Encode rows, build the model and take a few steps, which are thrown away; see `fit` for the arguments.

    Raises:
        ConfigError: the configuration does not go with the schema's tasks.
        DataError: the data cannot be read, or do not fit the schema.
        OutputError: `cache` cannot be written.
    """
    config = config or TrainConfig()
    schema = weighted(schema, config.task_weights)
    check_choices(schema, config, warns=True)
    prepared = prepare(schema, data, config, cache=None if cache is None else Path(cache))
    with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        training = Training(MultiTaskRanker(prepared.schema, config.model), prepared, config)
        epoch_s = _epoch_seconds(training)
    tables = _table_parameters(training.model)
    rows_mb = min(config.memory_mb, len(prepared.train) * prepared.train.row_bytes / _MIB)
    return Plan(
        train_rows=len(prepared.train),
        validation_rows=len(prepared.validation),
        steps_per_epoch=training.rows.steps_per_epoch,
        table_parameters=tables,
        layer_parameters=sum(weight.numel() for weight in training.model.parameters()) - sum(tables.values()),
        memory_mb=_memory(training, keeps_best=config.keeps_best) | {"rows": rows_mb},
        epoch_s=epoch_s,
        compiles=training.trainer.compiles,
    )


def _epoch_seconds(training: Training) -> float | None:
    times = [time.perf_counter()]
    training.model.train()
    with stepping():
        for batch in itertools.islice(training.rows.batches(1), MEASURED_STEPS):
            training.trainer.step(batch)
            times.append(time.perf_counter())
    steps = len(times) - 1 - _WARM_UP
    return None if steps < 1 else (times[-1] - times[_WARM_UP]) / steps * training.rows.steps_per_epoch


def _table_parameters(model: MultiTaskRanker) -> dict[str, int]:
    found: dict[str, int] = {}
    for inputs in model.inputs:
        if isinstance(inputs, Inputs):
            for name, table in own_tables(inputs).items():
                found[name] = found.get(name, 0) + table.rows.numel()
    return found


def _memory(training: Training, *, keeps_best: bool) -> dict[str, float]:
    """Return MiB of what a training holds, as it is allocated after some steps, and will be after a validation."""
    sizes = {"weights": 0.0, "optimizer": 0.0, "averages": 0.0}
    owners = {"model": "weights", "adamw": "optimizer", "rows": "optimizer", "average": "averages"}
    for name, tensor in training.trainer.state().items():
        owner = owners.get(name.partition(".")[0])
        if owner is not None:
            sizes[owner] += tensor.nbytes / _MIB
    return sizes | {"best_weights": sizes["weights"] if keeps_best else 0.0}
