"""`fit`: rows and a schema in, a run directory out."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from polyrank.arguments import instance
from polyrank.errors import ConfigError
from polyrank.files import Location
from polyrank.metrics import Bootstrap, Evaluation
from polyrank.models import TrainedRanker
from polyrank.models.trained import TRAINED_ROWS_FILE, require_run
from polyrank.room import require_disk
from polyrank.rows import Rows
from polyrank.schema import Schema
from polyrank.staging import refuse_existing, staged_directory

from .calibration import calibrate
from .checkpoints import Checkpoints, checkpoint_path, identity_of, is_of_this_job, refuse_checkpoint, told_of
from .config import TrainConfig
from .preparing import TrainingData, prepare
from .processes import ALONE, Processes, joined, require_rows_for_all
from .run_files import Run, write_run
from .scalars import Scalars
from .starting import begin, check_choices, go_on
from .task_weights import weighted
from .threads import torch_threads
from .training import OnValidation, Training
from .validation import Validation, validate
from .warnings import warn_of_chance, warn_undefined


def fit(  # noqa: PLR0913 (each is a choice of the user, by name)
    schema: Schema,
    data: str | Location | Rows,
    *,
    out: str | Path,
    config: TrainConfig | None = None,
    cache: str | Path | None = None,
    resume: bool = False,
    warm_start: str | Path | None = None,
    tensorboard: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Train a multi-task ranker and write a run directory, which appears whole or not at all.

    Under torchrun all processes call this, and train one model together; the first writes it, and all return the run.

    Args:
        schema: features and tasks.
        data: a file, a directory or pattern of files, here or at a URL that fsspec knows (docs/data.md lists the
            formats), a directory of shards that `polyrank.spark.encode` wrote, or rows in memory.
        out: the run directory to make; must not exist or be empty.
        config: how to train; None takes the defaults.
        cache: directory of encoded rows, in which those of files are kept for the next run; None is `encoded` in the
            user's cache folder (`$POLYRANK_CACHE_DIR`).
        resume: go on from the checkpoint that an interrupted training of `out` left, if there is one: with the same
            data, schema and configuration the run is that of a training that was never interrupted, bit for bit.
            Ranks that torchrun has started again go on by themselves.
        warm_start: an older run, whose weights the training starts from: those of the same features, tasks and layers,
            by name. What starts fresh is logged, and written into `metrics.json`.
        tensorboard: folder for TensorBoard's event files, to be watched while it trains; None writes none.
        progress: show bars on standard error, when that is a terminal.

    Raises:
        ConfigError: the architecture, or the way of balancing losses, does not go with the schema's tasks; or
            `rare_ids.min_count` with an older run that does not say which rows it trained.
        MissingExtraError: it needs the extra `balancing`.
        DataError: the data cannot be read, or do not fit the schema; or the checkpoint is damaged, or that of another
            training.
        OutputError: `out` exists, or a checkpoint of it without `resume`; or it or `cache` cannot be written.
    """
    instance("schema", schema, Schema, "a Schema, such as Schema.load(path)")
    config, target = TrainConfig() if config is None else config, Path(out)
    instance("config", config, TrainConfig, "a TrainConfig, such as TrainConfig.load(path)")
    schema = weighted(schema, config.task_weights)
    older = None if warm_start is None else Path(warm_start)
    with joined() as processes, contextlib.ExitStack() as opened:
        _refuse_early(schema, target, config, processes, resume=resume, older=older)
        resume = resume or processes.share(is_of_this_job(target))
        older_id = None if older is None else TrainedRanker.load(older).run_id
        scalars = None
        if tensorboard is not None and processes.is_first:
            scalars = opened.enter_context(contextlib.closing(Scalars(Path(tensorboard))))
        with (
            staged_directory(target, alone=True) if processes.is_first else contextlib.nullcontext() as stage,
            told_of(target, is_first=processes.is_first),
        ):
            with _bar("encode", "row", shown=progress and processes.is_first) as bar:
                kept = None if cache is None else Path(cache)
                prepared = prepare(schema, data, config, cache=kept, progress=bar.update, processes=processes)
            identity = identity_of(schema, config, prepared, older_id)
            processes.require_same(**identity)
            checkpoints = Checkpoints(checkpoint_path(target), config.checkpoint, identity, is_used=resume)
            training = _train(
                prepared, config, checkpoints, older, processes, scalars, target=target, progress=progress
            )
            evaluation = _final_evaluation(training, prepared, config, processes)
            run = Run(target, "", evaluation, training.kept["epoch"])
            if stage is not None:
                run = write_run(stage, run, prepared, training, config)
        if processes.is_first:
            checkpoints.remove()
        return processes.share(run)


def fit_prepared(data: TrainingData, *, out: Path, config: TrainConfig, progress: bool = True) -> Run:
    """Train on rows that are encoded and split already, as `fit` does.

    Raises:
        DataError: the training diverged.
        OutputError: `out` exists, has another writer, or cannot be written.
    """
    data = dataclasses.replace(data, schema=weighted(data.schema, config.task_weights))
    with staged_directory(out, alone=True) as stage:
        training = train_model(data, config, progress=progress, target=out)
        run = Run(out, "", _final_evaluation(training, data, config, ALONE), training.kept["epoch"])
        return write_run(stage, run, data, training, config)


def train_model(
    data: TrainingData,
    config: TrainConfig,
    *,
    progress: bool,
    on_validation: OnValidation | None = None,
    target: Path | None = None,
) -> Training:
    """Train from seeded initial weights, which are to be written to `target` if there is one.

    `on_validation` is told of each validation but the last, and may raise.

    Raises:
        DivergedError: a loss or an answer is no longer finite.
        OutputError: the weights do not fit on the disk of `target`.
    """
    with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        training = begin(data, config, on_validation=on_validation, progress=progress)
        if target is not None:
            _require_disk(target, training)
        training.run(progress=progress)
    return training


def calibrate_and_validate(
    training: Training,
    data: TrainingData,
    config: TrainConfig,
    intervals: Bootstrap | None = None,
    processes: Processes = ALONE,
) -> Validation:
    """Fit the calibration of the model that is kept, in place, and measure its answers."""
    with torch_threads(config.threads):
        calibrate(training.model, data.validation, processes)
        return validate(training.model, data, training.kept["epoch"], intervals, processes)


def _refuse_early(
    schema: Schema, target: Path, config: TrainConfig, processes: Processes, *, resume: bool, older: Path | None
) -> None:
    """Refuse what cannot end well, before hours of encoding."""
    if older is not None:
        require_run(older)
    if older is not None and config.rare_ids.min_count > 0 and not (older / TRAINED_ROWS_FILE).is_file():
        least = ", which is what $.rare_ids.dropout needs," if config.rare_ids.dropout > 0.0 else ""
        raise ConfigError(
            f"$.rare_ids.min_count = {config.rare_ids.min_count}{least} would forget ids that the new rows lack, since "
            f"{older} does not say which it knows; leave it out, or train that run anew"
        )
    if processes.is_first:
        refuse_existing(target)
        if not resume:
            refuse_checkpoint(target)
    require_rows_for_all(config.batch_size, processes)
    check_choices(schema, config, warns=processes.is_first)


def _bar(what: str, unit: str, *, shown: bool) -> "tqdm[Any]":
    return tqdm(desc=what, unit=unit, unit_scale=True, delay=2.0, disable=None if shown else True)


def _train(  # noqa: PLR0913 (what a training begins with)
    data: TrainingData,
    config: TrainConfig,
    checkpoints: Checkpoints,
    older: Path | None,
    processes: Processes,
    scalars: Scalars | None,
    *,
    target: Path,
    progress: bool,
) -> Training:
    """Train from seeded initial weights, from those of an older run, or on from a checkpoint."""
    with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        state = checkpoints.load()
        processes.require_same(checkpoints=None if state is None else (state.values["epoch"], state.values["step"]))
        if state is None:
            training = begin(data, config, warm_start=older, processes=processes, progress=progress)
        else:
            training = go_on(data, config, state, checkpoints.path, processes)
        if processes.is_first:
            _require_disk(target, training)
        training.scalars = scalars
        training.run(progress=progress, checkpoints=checkpoints if processes.is_first else None)
    return training


def _require_disk(target: Path, training: Training) -> None:
    """Refuse to train what could not be written."""
    require_disk(target, sum(weight.nbytes for weight in training.model.state_dict().values()), "the weights")


def _final_evaluation(training: Training, data: TrainingData, config: TrainConfig, processes: Processes) -> Evaluation:
    """Calibrate and validate the model that is kept, with intervals of the metrics worth a line.

    Warns of metrics that are undefined, and of tasks that have not learned.
    """
    resamples = config.validation.resamples
    intervals = Bootstrap(resamples=resamples, seed=config.seed, headline_only=True) if resamples else None
    found = calibrate_and_validate(training, data, config, intervals, processes)
    warn_undefined(found.evaluation)
    warn_of_chance(found.evaluation, found.alike)
    return found.evaluation
