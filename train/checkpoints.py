"""Checkpoints of a training that is under way, and going on from one."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from polyrank.errors import DataError, DivergedError, OtherTrainingError, OutputError
from polyrank.schema import Schema

from .checkpoint_file import Checkpoint, read_checkpoint, read_values, write_checkpoint
from .config import TrainConfig
from .config_sections import CheckpointConfig
from .json_difference import ABSENT, first_difference
from .preparing import TrainingData
from .processes import job_id

FORMAT = 4
"""Raised whenever a checkpoint comes to hold other things, or the same steps come to do something else."""

logger = logging.getLogger(__name__)


def checkpoint_path(run: Path) -> Path:
    """Return where the checkpoints of a run lie until it is whole: beside it, since the run itself is not there yet."""
    return run.with_name(f"{run.name}.checkpoint")


def refuse_checkpoint(run: Path) -> None:
    """Raise `OutputError` when a training of `run` left a checkpoint: it is neither used nor written over unasked.

    That of the same job of torchrun, which has started its ranks again, is to be used.
    """
    path = checkpoint_path(run)
    if path.exists() and not is_of_this_job(run):
        raise OutputError(
            f"{path} is what an interrupted training left; go on from it with --resume (resume=True of fit), remove "
            f"it, or choose another output directory"
        )


def is_of_this_job(run: Path) -> bool:
    """Say whether the checkpoint of a run was written by a rank that the same job of torchrun started."""
    path, job = checkpoint_path(run), job_id()
    if job is None or not path.exists():
        return False
    try:
        return bool(read_values(path).get("job") == job)
    except DataError:  # nobody knows whose it is
        return False


@contextlib.contextmanager
def told_of(run: Path, *, is_first: bool) -> Iterator[None]:
    """Say how to go on, when the training of a run is stopped, or diverges, and has left a checkpoint."""
    path = checkpoint_path(run)
    try:
        yield
    except KeyboardInterrupt:
        if is_first and path.exists():
            logger.warning("%s holds what was trained; go on from it with --resume", path)
        raise
    except DivergedError:
        if is_first and path.exists():
            logger.warning(
                "%s holds the training from before it diverged, as it would again with --resume; remove it to train "
                "with another configuration",
                path,
            )
        raise


def identity_of(
    schema: Schema, config: TrainConfig, data: TrainingData, older_run_id: str | None = None
) -> dict[str, Any]:
    """Describe what a training is made of: of another one a checkpoint is of no use.

    Args:
        schema: as the user gave it.
        config: how to train.
        data: both sides of the split.
        older_run_id: of the run that it starts from, if it does.
    """
    described = msgspec.to_builtins(config)
    described.pop("checkpoint")
    rows = {"train_rows": len(data.train), "validation_rows": len(data.validation), "content": data.digest}
    made_of = {"config": described, "schema": msgspec.to_builtins(schema.resolved()), "data": rows}
    return {"format": FORMAT, **made_of, "warm_start": older_run_id}


class Checkpoints:
    """Writes checkpoints when they are due, each in the place of the last; `load` gives the one to go on from.

    Args:
        path: of the file.
        config: how often.
        identity: of the training.
        is_used: whether to go on from a checkpoint that is there.
    """

    def __init__(self, path: Path, config: CheckpointConfig, identity: dict[str, Any], *, is_used: bool) -> None:
        self.path, self._config, self._identity, self._is_used = path, config, identity, is_used
        self._last = time.monotonic()

    def load(self) -> Checkpoint | None:
        """Return the checkpoint to go on from; None where there is none, or it is not to be used.

        Raises:
            DataError: it is damaged.
            OtherTrainingError: it is that of another training; the message names what differs.
        """
        if not self._is_used:
            return None
        if not self.path.exists():
            logger.info("there is no checkpoint %s: training begins at the first step", self.path)
            return None
        return _read_matching(self.path, self._identity)

    def remove(self) -> None:
        """Remove the checkpoint of a run that is whole."""
        self.path.unlink(missing_ok=True)

    def is_due(self, num_done: int) -> bool:
        """Say whether to write one after so many steps of the training."""
        if self._config.every_steps is not None:
            return num_done % self._config.every_steps == 0
        return time.monotonic() - self._last >= self._config.every_minutes * 60

    def save(self, state: Callable[[], Checkpoint]) -> None:
        """Write a checkpoint; where that fails the last one stays, and training goes on, with a warning."""
        tensors, values = state()
        try:
            write_checkpoint(self.path, Checkpoint(tensors, {"identity": self._identity, "job": job_id(), **values}))
        except OutputError as err:
            logger.warning("no checkpoint, and training goes on: %s", err)
        self._last = time.monotonic()


def _read_matching(path: Path, identity: dict[str, Any]) -> Checkpoint:
    found = read_checkpoint(path)
    difference = first_difference(found.values["identity"], identity)
    if difference is not None:
        where, there, here = difference.path.removeprefix("$."), _shown(difference.there), _shown(difference.here)
        raise OtherTrainingError(
            f"checkpoint {path} is of another training: {where} is {there} there and {here} here; train with what it "
            f"was made of, or remove it"
        )
    return found


def _shown(value: Any) -> str:
    text = "nothing" if value is ABSENT else repr(value)
    return text if len(text) < 40 else f"{text[:40]}..."  # noqa: PLR2004 (enough to tell it by)
