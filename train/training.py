"""From initial weights to the last epoch: steps, validations, and when to stop."""

import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from polyrank.metrics import headline
from polyrank.models import MultiTaskRanker
from polyrank.models.memory import require_layer_memory

from .allocator import kept_memory
from .batch_norm import share_batch_norm
from .checkpoint_file import Checkpoint
from .checkpoints import Checkpoints
from .compilation import should_compile
from .config import TrainConfig
from .loop import Trainer, part_of
from .preparing import TrainingData
from .processes import ALONE, Processes
from .products import fast_products
from .progress import ProgressLines
from .rare_ids import fold_rare_rows, mask_rare_rows
from .shuffling import Shuffler
from .stopping import Stopping
from .table_rows import TableRows, count_table_rows, trained_rows
from .validation import LossWatch, describe, require_finite_weights, validate
from .warnings import warn_few_steps

if TYPE_CHECKING:
    from .scalars import Scalars

BYTES_PER_MB = 2**20

logger = logging.getLogger(__name__)

OnValidation = Callable[[dict[str, Any]], object]


@dataclasses.dataclass
class Position:
    """Where a training is.

    Attributes:
        epoch: from 1.
        step: how many of its steps are done.
        losses: float64 (T,), of each task added up over the labels of those steps.
        labels: int64 (T,), how many those are.
    """

    epoch: int
    step: int
    losses: torch.Tensor
    labels: torch.Tensor

    @classmethod
    def start_of(cls, epoch: int, num_tasks: int) -> "Position":
        """Return the position before the first step of an epoch."""
        return cls(epoch, 0, torch.zeros(num_tasks, dtype=torch.float64), torch.zeros(num_tasks, dtype=torch.int64))

    def add(self, losses: torch.Tensor, labels: torch.Tensor) -> None:
        """Count a step with these mean losses (T,) over so many labels (T,)."""
        self.step += 1
        self.losses += losses * labels.double()
        self.labels += labels

    def mean_losses(self) -> torch.Tensor:
        """Return the mean loss of each task over its labels, float64 (T,); NaN where there was none."""
        return self.losses / self.labels


class Training:
    """A training in progress.

    Args:
        model: with its initial weights.
        data: both sides of the split.
        config: how to train.
        processes: those that train the model together.
        on_validation: called with each entry of the history that is not the last; ends the training by raising.
        known: rows of tables that an older run has trained, bool (R,) by parameter; None of random weights, or where
            the older run does not say.
    """

    def __init__(
        self,
        model: MultiTaskRanker,
        data: TrainingData,
        config: TrainConfig,
        processes: Processes = ALONE,
        on_validation: OnValidation | None = None,
        known: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        self.model, self._data, self._config, self._processes = model, data, config, processes
        self.schema = data.schema
        self.origin: dict[str, Any] | None = None
        self.train_s = 0.0
        self._start = time.perf_counter()
        self.table_rows: dict[str, TableRows] = {}
        self.trained_rows: dict[str, torch.Tensor] = {}
        self.known = known
        self._on_validation = on_validation
        self.scalars: Scalars | None = None
        self.rows = Shuffler(
            data.train,
            batch_size=config.batch_size,
            seed=config.seed,
            memory_bytes=config.memory_mb * BYTES_PER_MB,
            rank=processes.rank,
            world_size=processes.size,
        )
        # A gradient and two moments of AdamW, beside the weights that are there.
        require_layer_memory(model.network, "training", copies=3)
        share_batch_norm(model, processes)
        steps = config.max_epochs * self.rows.steps_per_epoch
        warn_few_steps(config, steps, len(data.train))
        self.trainer = Trainer(
            model,
            config,
            num_steps=steps,
            mean_weight=data.mean_weight,
            label_shares=data.label_shares.tolist(),
            compiles=_compiles(model, data, config, processes),
            processes=processes,
        )
        every = config.validation.every_steps or self.rows.steps_per_epoch
        per_epoch = math.ceil(self.rows.steps_per_epoch / every)
        self.stopping = Stopping(config, data.schema, validations_per_epoch=per_epoch)
        self.history: list[dict[str, Any]] = []
        self.at = Position.start_of(1, len(model.tasks))
        self._watch = LossWatch(model.tasks)
        mask_rare_rows(model, data.train, config.rare_ids, known)

    def state(self) -> Checkpoint:
        """Return all that the rest of the training depends on, to go on from later: views where they are large."""
        kept, judged = self.stopping.state()
        tensors = self.trainer.state() | {f"best.{name}": value for name, value in kept.items()}
        tensors |= {"losses": self.at.losses, "labels": self.at.labels, "random": torch.get_rng_state()}
        tensors |= {f"known.{name}": rows for name, rows in (self.known or {}).items()}
        values = {"epoch": self.at.epoch, "step": self.at.step, "stopping": judged, "history": self.history}
        values["train_s"] = time.perf_counter() - self._start
        return Checkpoint(tensors, values | {"schema": self.schema.to_toml(), "origin": self.origin})

    def load_state(self, state: Checkpoint) -> None:
        """Go on from what `state` gave."""
        tensors, values = state
        self.trainer.load_state(tensors)
        self.stopping.load_state(part_of(tensors, "best"), values["stopping"])
        self.history, self.origin, self.train_s = list(values["history"]), values["origin"], values["train_s"]
        self.at = Position(values["epoch"], values["step"], tensors["losses"].clone(), tensors["labels"].clone())
        torch.set_rng_state(tensors["random"])

    def run(self, *, progress: bool, checkpoints: Checkpoints | None = None) -> None:
        """Train to the last epoch, or until no validation is better any more; the model then has the weights to keep.

        Args:
            progress: show a bar.
            checkpoints: keep the state of the training in them, where it is to be kept.

        Raises:
            DivergedError: a loss, a weight or an answer is no longer finite; no checkpoint is written after that.
        """
        self._start = time.perf_counter() - self.train_s
        done = self.rows.rows_before(self.at.epoch, self.at.step)
        shown = progress and self._processes.is_first
        self._lines = ProgressLines(done, shown=shown)
        if self.scalars is not None:
            self.scalars.start(done)
        with stepping(), _bar(done, shown=shown) as bar:
            while self.at.epoch <= self._config.max_epochs and not self.stopping.is_due:
                bar.total = self._lines.total = self.rows.rows_before(self._expected_epochs() + 1, 0)
                self._finish_epoch(bar, checkpoints)
        self.train_s = time.perf_counter() - self._start
        if self.stopping.num_worse:
            logger.info("kept the weights of epoch %d, after %d steps", self.kept["epoch"], self.kept["steps"])
        if self.trainer.average is not None:
            self.trainer.average.exchange()
        self.stopping.restore(self.model)
        self.table_rows = count_table_rows(self.model, self.trainer.table_optimizer)
        self.trained_rows = trained_rows(self.model, self.trainer.table_optimizer, self.known)
        fold_rare_rows(self.model)
        self.model.eval()

    @property
    def kept(self) -> dict[str, Any]:
        """The entry of the history whose weights are kept."""
        return self.history[-1 - self.stopping.num_worse]

    def _expected_epochs(self) -> int:
        """Return how many epochs there are, as far as is known in this one."""
        return max(self.at.epoch, 2) if self._config.epochs == "auto" else self._config.max_epochs

    def _finish_epoch(self, bar: "tqdm[Any]", checkpoints: Checkpoints | None) -> None:
        self.model.train()
        for batch in self.rows.batches(self.at.epoch, self.at.step):
            losses = self.trainer.step(batch)
            self.at.add(losses, self.trainer.num_labels)
            self._watch.note(losses)
            if self._watch.is_due:
                self._watch.look(self.trainer.num_done, self.at.epoch)
            num_rows = self.rows.num_rows(self.at.step - 1)
            bar.update(num_rows)
            self._lines.update(num_rows)
            if self._is_time_to_validate():
                self._validate()
                self.model.train()
                if self.stopping.is_due:
                    return
            if checkpoints is not None and checkpoints.is_due(self.trainer.num_done):
                self._watch.look(self.trainer.num_done, self.at.epoch)
                require_finite_weights(self.model, self.trainer.num_done, self.at.epoch)
                checkpoints.save(self.state)
        self._validate()
        self.trainer.balancer.end_epoch(self.at.mean_losses().nan_to_num())
        self.at = Position.start_of(self.at.epoch + 1, len(self.model.tasks))

    def _is_time_to_validate(self) -> bool:
        every = self._config.validation.every_steps
        return every is not None and self.trainer.num_done % every == 0 and self.at.step < self.rows.steps_per_epoch

    def _validate(self) -> None:
        self._watch.look(self.trainer.num_done, self.at.epoch)
        means = self.at.mean_losses().tolist()
        losses = {task.name: mean for task, mean in zip(self.model.tasks, means, strict=True)}
        with self._averaged():
            found = validate(self.model, self._data, self.at.epoch, processes=self._processes).evaluation
            self.stopping.judge(found, self.model)
        metrics = found.values
        entry = {"epoch": self.at.epoch, "steps": self.trainer.num_done, "train_loss": losses, "validation": metrics}
        self.history.append(entry)
        if self.scalars is not None:
            done, seen = self.trainer.num_done, self.rows.rows_before(self.at.epoch, self.at.step)
            self.scalars.write(done, seen, self.trainer.dense.lr, losses, metrics)
        is_last = self.at.epoch == self._config.max_epochs and self.at.step == self.rows.steps_per_epoch
        if self._on_validation is not None and not (is_last or self.stopping.is_due):
            self._on_validation(entry)
        logger.info(
            "epoch %d of %s%d: %s",
            self.at.epoch,
            "at most " if self._config.keeps_best else "",
            self._config.max_epochs,
            describe(headline(self._data.schema, metrics)),
        )

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Give the model its average weights, where it has such."""
        average = self.trainer.average
        if average is None:
            yield
            return
        average.exchange()
        try:
            yield
        finally:
            average.exchange()


@contextlib.contextmanager
def stepping() -> Iterator[None]:
    """Set up the process for steps: memory that is kept between them, and the fastest products of matrices."""
    with kept_memory(), fast_products():
        yield


def _compiles(model: MultiTaskRanker, data: TrainingData, config: TrainConfig, processes: Processes) -> bool:
    """Say whether layers are compiled: not where their batch norm waits for other ranks."""
    if processes.size == 1:
        epochs = 1 if config.epochs == "auto" else config.epochs
        is_worth_it = should_compile(model, epochs * len(data.train), wanted=config.compile)
        return is_worth_it and not config.balancing.takes_tasks_apart
    if config.compile is True:
        logger.warning("layers are not compiled, since %d processes train together", processes.size)
    return False


def _bar(done: int, *, shown: bool) -> "tqdm[Any]":
    return tqdm(initial=done, desc="train", unit="row", unit_scale=True, disable=None if shown else True)
