"""The training loop: tensors in memory, a permutation for each epoch, no work per step but the step."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from polyrank.encoder import Batch
from polyrank.errors import DataError
from polyrank.models import MultiTaskRanker
from polyrank.models.heads import loss
from polyrank.models.trained import tensors

from .config import TrainConfig
from .labels import Targets
from .optimizers import build_optimizers

logger = logging.getLogger(__name__)

FEW_STEPS = 50
"""Below this many gradient steps a model has hardly left its initial weights, so the trainer says so."""


def train_epochs(
    model: MultiTaskRanker,
    batch: Batch,
    targets: Targets,
    config: TrainConfig,
    *,
    progress: bool,
    after_epoch: Callable[[int, dict[str, float]], None],
) -> None:
    """Train `model` in place.

    Args:
        model: to train.
        batch: encoded training rows.
        targets: labels and weights of the rows.
        config: epochs, batch size, seed and learning rates.
        progress: show a bar on standard error.
        after_epoch: called with the epoch (from 1) and each task's mean training loss.

    Raises:
        DataError: a loss is no longer finite.
    """
    inputs = tensors(batch)
    labels = torch.from_numpy(targets.labels)
    weights = None if targets.weights is None else torch.from_numpy(targets.weights)
    optimizers = build_optimizers(model, config.optimizer)
    order = torch.Generator().manual_seed(config.seed)
    steps = config.epochs * _num_steps(len(batch), config.batch_size)
    if steps < FEW_STEPS:
        logger.warning(
            "only %d gradient step(s) in all for %d rows: it will hardly learn; lower batch_size or raise epochs",
            steps,
            len(batch),
        )
    with tqdm(total=steps, desc="train", unit="step", disable=None if progress else True) as bar:
        for epoch in range(1, config.epochs + 1):
            model.train()
            totals = torch.zeros(len(model.tasks))
            for rows in _batches(len(batch), config.batch_size, order):
                logits = model(*(None if tensor is None else tensor[rows] for tensor in inputs))
                totals += _step(model, optimizers, logits, labels[rows], None if weights is None else weights[rows])
                bar.update()
            losses = _mean_losses(model, totals / _num_steps(len(batch), config.batch_size), epoch)
            after_epoch(epoch, losses)


def _step(
    model: MultiTaskRanker,
    optimizers: list[torch.optim.Optimizer],
    logits: dict[str, Tensor],
    labels: Tensor,
    weights: Tensor | None,
) -> Tensor:
    """Take one gradient step; return each task's loss, (T,), detached."""
    losses = torch.stack(
        [loss(task, logits[task.name].squeeze(1), labels[:, index], weights) for index, task in enumerate(model.tasks)]
    )
    task_weights = torch.tensor([task.weight for task in model.tasks])
    for optimizer in optimizers:
        optimizer.zero_grad()
    torch.autograd.backward((losses * task_weights).sum())
    for optimizer in optimizers:
        optimizer.step()
    return losses.detach()


def _batches(count: int, batch_size: int, order: torch.Generator) -> Iterator[Tensor]:
    """Yield row numbers of one epoch in random order; a last batch of one row is left out (batch norm needs two)."""
    permutation = torch.randperm(count, generator=order)
    for start in range(0, count, batch_size):
        rows = permutation[start : start + batch_size]
        if len(rows) > 1:
            yield rows


def _num_steps(count: int, batch_size: int) -> int:
    full, rest = divmod(count, batch_size)
    return full + (rest > 1)


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
