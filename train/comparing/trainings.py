"""Training what is compared, where it is not trained yet, and comparing it."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from polyrank.decoding import decode_json
from polyrank.errors import OutputError
from polyrank.files import Location
from polyrank.metrics import Bootstrap
from polyrank.models import TrainedRanker
from polyrank.models.chain import Chain, chain_of
from polyrank.models.trained import SCHEMA_FILE
from polyrank.rows import Rows
from polyrank.run_record import CONFIG_FILE, METRICS_FILE
from polyrank.schema import Schema, toml_text
from polyrank.train.balancing import build_balancer
from polyrank.train.config import TrainConfig
from polyrank.train.locking import locked_folder
from polyrank.train.preparing import TrainingData, prepare, require_table_memory, with_base_rates
from polyrank.train.run import fit_prepared
from polyrank.train.task_weights import weighted
from polyrank.train.threads import torch_threads
from polyrank.train.validation import AnsweredRows, answer_rows

from .costs import Cost, Runs
from .differences import Change, changes
from .plan import ONE_PER_TASK, ComparisonConfig, Planned, plan, task_schema

Answers = dict[str, NDArray[np.float32]]

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came out.

    Attributes:
        baseline: name of what the others are compared with.
        rows: number of validation rows.
        seeds: trainings of each model.
        level: of the confidence intervals.
        changes: of each model from the baseline, by task and metric.
        runs: run directories of each model, by seed: one each, or one for each task.
        costs: what each model costs; empty until it is measured.
        engine: what measured the latency.
    """

    baseline: str
    rows: int
    seeds: int
    level: float
    changes: Sequence[Change]
    runs: Runs
    costs: Sequence[Cost] = ()
    engine: str = ""


def compare(
    schema: Schema,
    data: str | Location | Rows,
    *,
    out: str | Path,
    config: TrainConfig | None = None,
    comparison: ComparisonConfig | None = None,
    cache: str | Path | None = None,
) -> Comparison:
    """Train models of all tasks and one model for each task, all alike otherwise, and compare them.

    Rows are encoded and split once. Runs that are in `out` already are kept and not trained again, so that the same
    call goes on where another was interrupted, and a call for more seeds or architectures trains only those.

    Args:
        schema: features, and at least two tasks.
        data: as `fit` takes them.
        out: folder of the runs; made where it does not exist.
        config: how to train each; of several seeds, its `seed` is the first.
        comparison: what to compare.
        cache: directory of encoded rows, as `fit` takes it.

    Raises:
        ConfigError: `config` cannot be that of every model.
        DataError: the data cannot be read, do not fit the schema, or a training diverged.
        OutputError: `out` cannot be written, holds a run of another schema, configuration or data, or another process
            compares there.
        SchemaError: the embedding tables of a model take more memory than there is.
    """
    config, comparison, out = config or TrainConfig(), comparison or ComparisonConfig(), Path(out)
    jobs = plan(schema, config, comparison)
    build_balancer(config.balancing, schema.tasks, seed=config.seed)  # refuses before the first training
    resolved = schema.resolved()
    for job in jobs:  # as this does
        require_table_memory(resolved, job.config)
    with locked_folder(out, "comparison"):
        with tqdm(desc="encode", unit="row", unit_scale=True, delay=2.0, disable=None) as bar:
            prepared = prepare(
                schema, data, jobs[0].config, cache=None if cache is None else Path(cache), progress=bar.update
            )
        _train_all(prepared, jobs, out)
        with torch_threads(config.threads):
            models, rows = _answers(prepared, jobs, out)
    bootstrap = Bootstrap(level=comparison.level, resamples=config.validation.resamples, seed=config.seed)
    return Comparison(
        baseline=ONE_PER_TASK,
        rows=len(prepared.validation),
        seeds=comparison.seeds,
        level=comparison.level,
        changes=changes(schema, models, rows, bootstrap),
        runs={
            name: [
                [out / job.folder for job in jobs if (job.model, job.seed) == (name, seed)]
                for seed in range(comparison.seeds)
            ]
            for name in models
        },
    )


def _train_all(prepared: TrainingData, jobs: Sequence[Planned], out: Path) -> None:
    of_chain = _by_chain(prepared, jobs)
    for index, job in enumerate(jobs):
        own = of_chain[chain_of(prepared.schema, job.config.model)]
        _train(own, job, out / job.folder, place=f"{index + 1} of {len(jobs)}")


def _by_chain(prepared: TrainingData, jobs: Sequence[Planned]) -> dict[Chain | None, TrainingData]:
    """Return the rows for each chain of tasks that a model has, which decides what the labels of its tasks mean."""
    models = {chain_of(prepared.schema, job.config.model): job.config.model for job in jobs}
    return {chain: prepared if chain is None else with_base_rates(prepared, model) for chain, model in models.items()}


def _train(prepared: TrainingData, job: Planned, run: Path, *, place: str) -> None:
    data = _data_of(prepared, job)
    if run.exists() and any(run.iterdir()):
        _require_same(run, data, job.config)
        logger.info("%s: %s is trained already", place, run)
        return
    logger.info("%s: training %s", place, run)
    fit_prepared(data, out=run, config=job.config, progress=logger.isEnabledFor(logging.INFO))


def _data_of(data: TrainingData, job: Planned) -> TrainingData:
    if job.task is None:
        return data
    return dataclasses.replace(
        data,
        schema=task_schema(data.schema, job.task),
        train=data.train.of_task(job.task),
        validation=data.validation.of_task(job.task),
        base_logits=(data.base_logits[job.task],),
        label_shares=np.ones(1, np.float32),
    )


def _require_same(run: Path, data: TrainingData, config: TrainConfig) -> None:
    """Refuse a run of something else."""
    wanted = (
        weighted(data.schema, config.task_weights).to_toml(),
        toml_text(config),
        [len(data.train), len(data.validation), data.digest],
    )
    try:
        report = decode_json((run / METRICS_FILE).read_bytes(), dict[str, Any])
        found = (
            (run / SCHEMA_FILE).read_text(encoding="utf-8"),
            (run / CONFIG_FILE).read_text(encoding="utf-8"),
            [report["train_rows"], report["validation_rows"], report["data_digest"]],
        )
    except (OSError, ValueError, KeyError, TypeError) as err:  # msgspec's errors are ValueErrors
        raise OutputError(f"{run} is no finished run; remove it, or choose another folder for the comparison") from err
    what = [
        name
        for name, one, other in zip(("schema", "configuration", "data"), wanted, found, strict=True)
        if one != other
    ]
    if what:
        raise OutputError(f"{run} is a run of another {what[0]}; choose another folder for the comparison")


def _answers(
    prepared: TrainingData, jobs: Sequence[Planned], out: Path
) -> tuple[dict[str, list[Answers]], AnsweredRows]:
    """Return the answers of each model after each seed, the baseline first, and the rows."""
    found: dict[str, dict[int, Answers]] = {}
    for job in jobs:
        answered = answer_rows(TrainedRanker.load(out / job.folder).model, prepared.validation)
        found.setdefault(job.model, {}).setdefault(job.seed, {}).update(answered.answers)
    return {name: list(seeds.values()) for name, seeds in found.items()}, answered
