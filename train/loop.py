"""A training step: no work but the step."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor

from polyrank.models import MultiTaskRanker

from .averaging import AverageWeights, running_statistics
from .balancing import build_balancer
from .compilation import STEPS_BEFORE, compiled
from .config import TrainConfig
from .exchange import add_gradients, add_row_gradients, with_total
from .optimizers import (
    RowGradient,
    build_optimizers,
    embedding_tables,
    gradient_norm,
)
from .processes import ALONE, Processes
from .schedules import rate_at
from .shuffling import TrainingBatch

Losses = Callable[[Sequence[Tensor], Tensor, Tensor | None, Tensor | None], Tensor]
"""Inputs of the layers (B, I), labels (B, T), weights of rows (B,) and `label_counts` to the loss of each task (T,)."""


class Trainer:
    """A model, and everything that one step hands on to the next.

    Args:
        model: is trained in place.
        config: decides the steps.
        num_steps: of the whole training.
        label_shares: what the weight of each task is multiplied by, so that each label counts alike; None leaves it.
        mean_weight: of the rows' sample weights, which are divided by it.
        compiles: whether layers are compiled after the first steps.
        processes: those that take each step together, with a part of its batch each.
    """

    def __init__(  # noqa: PLR0913 (all that a step depends on)
        self,
        model: MultiTaskRanker,
        config: TrainConfig,
        *,
        num_steps: int,
        label_shares: Sequence[float] | None = None,
        mean_weight: float = 1.0,
        compiles: bool = False,
        processes: Processes = ALONE,
    ) -> None:
        self.model, self._processes = model, processes
        self.num_done = 0
        self._config, self._num_steps, self._mean_weight = config, num_steps, mean_weight
        tasks = [
            msgspec.structs.replace(task, weight=task.weight * share)
            for task, share in zip(model.tasks, label_shares or [1.0] * len(model.tasks), strict=True)
        ]
        self.balancer = build_balancer(config.balancing, tasks, seed=config.seed, processes=processes)
        self._tables = embedding_tables(model)
        self.dense, self.table_optimizer = build_optimizers(model, config.optimizer, threads=config.threads)
        decay = config.ema_decay
        moving = (*self.dense.weights, *running_statistics(model))
        self.average = None if decay is None else AverageWeights(moving, self._tables, decay)
        self.num_labels = torch.zeros(len(model.tasks), dtype=torch.int64)
        """How many labels of each task the batch of the last step had, on all ranks together: (T,)."""
        self.compiles = compiles
        self._compiled: Losses | None = None

    def step(self, batch: TrainingBatch) -> Tensor:
        """Take one gradient step; return each task's loss, (T,), detached: 0 where the batch has no label of it."""
        if self._processes.size > 1:
            torch.manual_seed(self._processes.seed_of(self._config.seed, self.num_done))
        weights = None if batch.sample_weights is None else batch.sample_weights / self._mean_weight
        inputs = [part(self._known(batch.ids), batch.dense, batch.weights) for part in self.model.inputs]
        leaves = [part.detach().requires_grad_() for part in inputs]
        counts = self._counts(batch)
        losses = self._losses(batch.num_rows)(leaves, batch.labels, weights, counts)
        if self._processes.size > 1:
            losses = with_total(losses, self._processes)
        self.balancer.backward(losses, self.model.network, leaves)
        looked_up = [place for place, part in enumerate(inputs) if part.requires_grad]
        torch.autograd.backward([inputs[place] for place in looked_up], [leaves[place].grad for place in looked_up])
        self._update()
        self.num_labels = (self.model.label_counts(batch.labels) if counts is None else counts)[:-1]
        self.num_done += 1
        return losses.detach()

    def state(self) -> dict[str, Tensor]:
        """Return all that later steps depend on, by name: views where they are large."""
        parts = {
            "model": self.model.state_dict(),
            "adamw": self.dense.state(),
            "rows": self.table_optimizer.state(),
            "balancer": self.balancer.state_dict(),
            "average": {} if self.average is None else self.average.state(),
            "steps": {"done": torch.tensor(self.num_done)},
        }
        return {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.model.load_state_dict(part_of(state, "model"))
        self.dense.load_state(part_of(state, "adamw"))
        self.table_optimizer.load_state(part_of(state, "rows"))
        self.balancer.load_state_dict(part_of(state, "balancer"))
        if self.average is not None:
            self.average.load_state(part_of(state, "average"))
        self.num_done = int(state["steps.done"])

    def _counts(self, batch: TrainingBatch) -> Tensor | None:
        """Count the labels of the whole batch, where this is a part of it."""
        return None if self._processes.size == 1 else self._processes.add(self.model.label_counts(batch.labels))

    def _update(self) -> None:
        """Step all weights by their gradients, and forget those."""
        rate = rate_at(self.num_done, self._num_steps, self._config.optimizer)
        add_gradients(self._dense_gradients(), self._processes)
        gradients = add_row_gradients([RowGradient.of(table) for table in self._tables], self._processes)
        scale = self._clip(gradients)
        self.dense.lr = self._config.optimizer.lr * rate
        self.dense.step()
        for index, gradient in enumerate(gradients):
            if gradient is not None:
                if self.average is not None:
                    self.average.before_rows(index, gradient)
                self.table_optimizer.step(index, gradient, rate=rate, scale=scale)
        if self.average is not None:
            self.average.after_step()

    def _clip(self, gradients: Sequence[RowGradient | None]) -> float:
        """Scale the layers' gradients, and return what those of the embedding tables are to be scaled with."""
        limit = self._config.optimizer.clip_norm
        if limit is None:
            return 1.0
        dense = self._dense_gradients()
        scale = min(1.0, limit / max(gradient_norm(dense, gradients), 1e-12))
        torch._foreach_mul_(dense, scale)
        return scale

    def _dense_gradients(self) -> list[Tensor]:
        return [weight.grad for weight in self.dense.weights if weight.grad is not None]

    def _known(self, ids: Tensor) -> Tensor:
        """Take some ids for missing."""
        share = self._config.rare_ids.dropout
        return ids if share == 0.0 else ids.masked_fill(torch.rand(ids.shape) < share, -1)

    def _losses(self, num_rows: int) -> Losses:
        """Return the losses as a function of inputs: compiled for full batches, once that is due."""
        if not self.compiles or self.num_done < STEPS_BEFORE or num_rows != self._config.batch_size:
            return self._eager
        if self._compiled is None:
            self._compiled = compiled(self._eager)
        return self._compiled

    def _eager(self, inputs: Sequence[Tensor], labels: Tensor, weights: Tensor | None, counts: Tensor | None) -> Tensor:
        with _precision(self._config.precision):
            logits = self.model.network(inputs)
        return self.model.losses(logits.float(), labels, weights, counts)


def part_of(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors of one part, by their names within it."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _precision(name: str) -> contextlib.AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16) if name == "bfloat16" else contextlib.nullcontext()
