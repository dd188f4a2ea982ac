"""The training loop: no work per step but the step."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from polyrank.errors import DataError
from polyrank.models import MultiTaskRanker

from .config import TrainConfig
from .optimizers import build_optimizers
from .shuffling import Shuffler, TrainingBatch


def train_epochs(
    model: MultiTaskRanker,
    rows: Shuffler,
    config: TrainConfig,
    *,
    mean_weight: float = 1.0,
    progress: bool,
    after_epoch: Callable[[int, dict[str, float]], None],
) -> None:
    """Train `model` in place.

    Args:
        model: to train.
        rows: give the batches.
        config: epochs and learning rates.
        mean_weight: of the rows' sample weights, which are divided by it.
        progress: show a bar on standard error.
        after_epoch: called with the epoch (from 1) and each task's mean training loss.

    Raises:
        DataError: a loss is no longer finite.
    """
    optimizers = build_optimizers(model, config.optimizer)
    with tqdm(
        total=config.epochs * rows.steps_per_epoch, desc="train", unit="step", disable=None if progress else True
    ) as bar:
        for epoch in range(1, config.epochs + 1):
            model.train()
            totals = torch.zeros(len(model.tasks))
            for batch in rows.batches(epoch):
                totals += _step(model, optimizers, batch, mean_weight)
                bar.update()
            after_epoch(epoch, _mean_losses(model, totals / rows.steps_per_epoch, epoch))


def _step(
    model: MultiTaskRanker, optimizers: list[torch.optim.Optimizer], batch: TrainingBatch, mean_weight: float
) -> Tensor:
    """Take one gradient step; return each task's loss, (T,), detached."""
    logits = model(batch.ids, batch.dense, batch.weights)
    weights = None if batch.sample_weights is None else batch.sample_weights / mean_weight
    losses = model.losses(logits, batch.labels, weights)
    task_weights = torch.tensor([task.weight for task in model.tasks])
    for optimizer in optimizers:
        optimizer.zero_grad()
    torch.autograd.backward((losses * task_weights).sum())
    for optimizer in optimizers:
        optimizer.step()
    return losses.detach()


def _mean_losses(model: MultiTaskRanker, means: Tensor, epoch: int) -> dict[str, float]:
    losses = {task.name: float(mean) for task, mean in zip(model.tasks, means, strict=True)}
    for name, value in losses.items():
        if not np.isfinite(value):
            raise diverged(f"the loss of task {name!r} is {value}", epoch)
    return losses


def diverged(what: str, epoch: int) -> DataError:
    """Return the error for a model that is no longer finite."""
    return DataError(
        f"training diverged: {what} in epoch {epoch}; lower $.optimizer.lr and $.optimizer.embedding_lr, or look for "
        f"extreme values in the labels and numeric features"
    )
