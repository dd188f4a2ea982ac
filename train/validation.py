"""What the rows that validate say of a model, and that its losses, weights and answers are still finite."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from polyrank.errors import DivergedError
from polyrank.metrics import Bootstrap, Evaluation, Metrics, evaluate
from polyrank.models import MultiTaskRanker
from polyrank.models.trained import predict
from polyrank.tasks import Task

from .encoded import Selection
from .preparing import TrainingData
from .processes import ALONE, Processes

WATCHED_STEPS = 50
"""After so many steps their losses are looked at: to look at those of each step would wait for it."""

LAST_BITS = 1e-6
"""Relative to a number of 32 bits: what sums of another order may change."""

Scalar = TypeVar("Scalar", bound=np.generic)
Block = TypeVar("Block")


@dataclasses.dataclass(frozen=True)
class AnsweredRows:
    """Validation rows with the answers to them."""

    answers: dict[str, NDArray[np.float32]]
    labels: NDArray[np.float32]
    groups: NDArray[np.int64] | None
    weights: NDArray[np.float32] | None


@dataclasses.dataclass(frozen=True)
class Validation:
    """What the validation rows say of a model.

    Attributes:
        evaluation: metrics.
        alike: tasks that answer every row alike, but for the last bits of their answers.
    """

    evaluation: Evaluation
    alike: tuple[str, ...]


def validate(
    model: MultiTaskRanker,
    data: TrainingData,
    epoch: int,
    intervals: Bootstrap | None = None,
    processes: Processes = ALONE,
) -> Validation:
    """Answer the validation rows, and measure the answers, with confidence intervals where they are asked for.

    Each process answers its share of the rows, in the blocks in which one alone would; the first measures them all.

    Raises:
        DivergedError: an answer is not finite.
    """
    found = processes.collect(list(_answered(model, data.validation, processes)))
    return processes.share(None if found is None else _evaluated(data, _together(in_order(found)), epoch, intervals))  # type: ignore[return-value]


def answer_rows(model: MultiTaskRanker, rows: Selection) -> AnsweredRows:
    """Answer all rows of a side of the split."""
    return _together(list(_answered(model, rows, ALONE)))


def _answered(model: MultiTaskRanker, rows: Selection, processes: Processes) -> Iterator[AnsweredRows]:
    for part in rows.chunks(rank=processes.rank, world_size=processes.size):
        yield AnsweredRows(predict(model, part.batch), part.labels, part.groups, part.sample_weights)


def in_order(by_rank: Sequence[Sequence[Block]]) -> list[Block]:
    """Put the blocks of all ranks, which took them in turn, in the order of the rows."""
    turns = itertools.zip_longest(*by_rank)
    return [part for turn in turns for part in turn if part is not None]


def _evaluated(data: TrainingData, found: AnsweredRows, epoch: int, intervals: Bootstrap | None) -> Validation:
    _require_finite(found.answers, epoch)
    alike = tuple(name for name, answers in found.answers.items() if are_alike(answers))
    rows = (found.answers, found.labels, found.groups, found.weights)
    return Validation(evaluate(data.schema, *rows, intervals=intervals), alike)


def are_alike(answers: NDArray[np.float32]) -> bool:
    """Say whether finite answers, [B] or [B, C], differ by no more than their last bits from row to row."""
    low, high = answers.min(axis=0), answers.max(axis=0)
    return bool((high.astype(np.float64) - low <= LAST_BITS * np.maximum(abs(low), abs(high))).all())


def _together(parts: Sequence[AnsweredRows]) -> AnsweredRows:
    answers = {name: np.concatenate([part.answers[name] for part in parts]) for name in parts[0].answers}
    labels = np.concatenate([part.labels for part in parts])
    return AnsweredRows(
        answers, labels, _joined([part.groups for part in parts]), _joined([part.weights for part in parts])
    )


def _joined(parts: list[NDArray[Scalar] | None]) -> NDArray[Scalar] | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def describe(metrics: Metrics) -> str:
    """Say metrics in one line: `click auc 0.7000, watch_ratio rmse 0.9000`."""
    return ", ".join(f"{task} {name} {value:.4f}" for task, values in metrics.items() for name, value in values.items())


class LossWatch:
    """Losses of the last steps, which are looked at together, and in any case before what they gave is kept.

    Args:
        tasks: in the order of the losses.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._names = [task.name for task in tasks]
        self._waiting: list[Tensor] = []

    @property
    def is_due(self) -> bool:
        """Whether so many steps wait that it is time to look."""
        return len(self._waiting) >= WATCHED_STEPS

    def note(self, losses: Tensor) -> None:
        """Take the losses of a step, (T,), which nobody changes later."""
        self._waiting.append(losses)

    def look(self, step: int, epoch: int) -> None:
        """Look at what waits: the losses of the steps up to `step` of the training, all of one epoch.

        Raises:
            DivergedError: one is not finite; names the first step that has such, and its tasks.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        is_finite = torch.stack(waiting).isfinite()  # (steps, T)
        if is_finite.all():
            return
        place = int(is_finite.all(1).int().argmin())
        names = [name for name, finite in zip(self._names, is_finite[place].tolist(), strict=True) if not finite]
        lost = (
            f"loss of task {names[0]!r} is" if len(names) == 1 else f"losses of tasks {', '.join(map(repr, names))} are"
        )
        raise diverged(f"the {lost} not finite at step {step - len(waiting) + place + 1:,}", epoch)


def require_finite_weights(model: nn.Module, step: int, epoch: int) -> None:
    """Refuse weights that are not finite, in one pass over them.

    Raises:
        DivergedError: the names of such, and the step after which they are so.
    """
    for name, weight in model.named_parameters():
        if weight.numel() > 0 and not torch.stack(torch.aminmax(weight.detach())).isfinite().all():
            raise diverged(f"the weights {name} are not finite after step {step:,}", epoch)


def diverged(what: str, epoch: int) -> DivergedError:
    """Return the error for a model that is no longer finite."""
    return DivergedError(
        f"training diverged: {what} in epoch {epoch}; lower $.optimizer.lr and $.optimizer.embedding_lr, or look for "
        f"extreme values in the labels and numeric features"
    )


def _require_finite(answers: Mapping[str, NDArray[np.float32]], epoch: int) -> None:
    for name, values in answers.items():
        if not np.isfinite(values).all():
            raise diverged(f"the answers of task {name!r} are not finite", epoch)
