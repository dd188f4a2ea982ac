"""What the rows that validate say of a model."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DivergedError
from polyrank.metrics import Bootstrap, Evaluation, Metrics, evaluate
from polyrank.models import MultiTaskRanker
from polyrank.models.trained import predict

from .encoded import Selection
from .preparing import TrainingData
from .processes import ALONE, Processes

Scalar = TypeVar("Scalar", bound=np.generic)
Block = TypeVar("Block")


@dataclasses.dataclass(frozen=True)
class AnsweredRows:
    """Validation rows with the answers to them."""

    answers: dict[str, NDArray[np.float32]]
    labels: NDArray[np.float32]
    groups: NDArray[np.int64] | None
    weights: NDArray[np.float32] | None


def validate(
    model: MultiTaskRanker,
    data: TrainingData,
    epoch: int,
    intervals: Bootstrap | None = None,
    processes: Processes = ALONE,
) -> Evaluation:
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


def _evaluated(data: TrainingData, found: AnsweredRows, epoch: int, intervals: Bootstrap | None) -> Evaluation:
    _require_finite(found.answers, epoch)
    return evaluate(data.schema, found.answers, found.labels, found.groups, found.weights, intervals=intervals)


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
