"""How a training begins: from random weights, from an older run, or from the checkpoint of the same one."""

import dataclasses
import logging
from pathlib import Path

import torch

from polyrank.errors import DataError
from polyrank.models import MultiTaskRanker, TrainedRanker
from polyrank.models.neighbors import load_neighbors
from polyrank.models.trained import load_trained_rows
from polyrank.schema import Schema

from .balancing import build_balancer
from .checkpoint_file import Checkpoint
from .config import TrainConfig
from .loop import part_of
from .neighbors import fit_neighbors
from .preparing import TrainingData
from .processes import ALONE, Processes
from .stopping import Stopping
from .training import OnValidation, Training
from .warm import kept_statistics, take_over, trained_before
from .warnings import warn_small_batches, warn_unread

logger = logging.getLogger(__name__)


def check_choices(schema: Schema, config: TrainConfig, *, warns: bool) -> None:
    """Refuse a configuration that does not go with a schema's tasks; warn of what it sets in vain.

    Raises:
        ConfigError: it does not.
        MissingExtraError: a way of balancing losses needs the extra `balancing`.
    """
    build_balancer(config.balancing, schema.tasks, seed=config.seed)
    Stopping(config, schema)
    if warns:
        warn_unread(config.model)
        warn_small_batches(config.model, config.batch_size)


def begin(
    data: TrainingData,
    config: TrainConfig,
    *,
    warm_start: Path | None = None,
    processes: Processes = ALONE,
    on_validation: OnValidation | None = None,
    progress: bool,
) -> Training:
    """Start a training from random weights, which the generator of PyTorch gives as it stands, or from an older run.

    Raises:
        DataError: `warm_start` is no complete run directory.
    """
    older = None if warm_start is None else TrainedRanker.load(warm_start)
    if older is not None:
        data = dataclasses.replace(data, schema=kept_statistics(data.schema, older.schema))
    model = MultiTaskRanker(data.schema, config.model)
    model.network.baseline.start_at([torch.from_numpy(logits) for logits in data.base_logits])
    origin = None if older is None else take_over(model, data.schema, config.model, older, str(warm_start))
    known = None
    if older is not None and warm_start is not None and (trained := load_trained_rows(warm_start, older.model)):
        known = trained_before(model, data.schema, config.model, older, trained)
    del older  # its memory is wanted for the training
    engagements = ((rows.ids, rows.labels) for rows in data.train.chunks())
    load_neighbors(model, fit_neighbors(data.schema, engagements, progress=progress and processes.is_first))
    training = Training(model, data, config, processes, on_validation, known)
    training.origin = None if origin is None else dataclasses.asdict(origin)
    return training


def go_on(data: TrainingData, config: TrainConfig, found: Checkpoint, path: Path, processes: Processes) -> Training:
    """Take a training up where its checkpoint was written, with the state of PyTorch's generator.

    Raises:
        DataError: the checkpoint does not fit the model.
    """
    data = dataclasses.replace(data, schema=Schema.from_toml(found.values["schema"]))
    known = part_of(found.tensors, "known") or None
    training = Training(MultiTaskRanker(data.schema, config.model), data, config, processes, known=known)
    _load(training, found, path)
    at = training.at
    logger.info(
        "training goes on from %s: epoch %d, %d of its %d steps done",
        path,
        at.epoch,
        at.step,
        training.rows.steps_per_epoch,
    )
    return training


def _load(training: Training, found: Checkpoint, path: Path) -> None:
    try:
        training.load_state(found)
    except (KeyError, RuntimeError) as err:
        raise DataError(
            f"checkpoint {path} does not fit the model: {' '.join(str(err).split())}; remove it, and train from the "
            f"first step"
        ) from err
