"""What the rows that validate say of a model."""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DivergedError
from polyrank.models import MultiTaskRanker
from polyrank.models.trained import predict

from .encoded import Selection
from .metrics import Bootstrap, Evaluation, Metrics, evaluate
from .preparing import TrainingData

Scalar = TypeVar("Scalar", bound=np.generic)


def validate(model: MultiTaskRanker, data: TrainingData, epoch: int, intervals: Bootstrap | None = None) -> Evaluation:
    """Answer the validation rows, and measure the answers, with confidence intervals where they are asked for.

    Raises:
        DivergedError: an answer is not finite.
    """
    answered = answer_rows(model, data.validation)
    _require_finite(answered.answers, epoch)
    return evaluate(
        data.schema, answered.answers, answered.labels, answered.groups, answered.weights, intervals=intervals
    )


@dataclasses.dataclass(frozen=True)
class AnsweredRows:
    """Answers of a model, and what they are measured against; as `evaluate` takes them."""

    answers: dict[str, NDArray[np.float32]]
    labels: NDArray[np.float32]
    groups: NDArray[np.int64] | None
    weights: NDArray[np.float32] | None


def answer_rows(model: MultiTaskRanker, rows: Selection) -> AnsweredRows:
    """Answer all rows of a side of the split."""
    answers: list[dict[str, NDArray[np.float32]]] = []
    labels, groups, weights = [], [], []
    for part in rows.chunks():
        answers.append(predict(model, part.batch))
        labels.append(part.labels)
        groups.append(part.groups)
        weights.append(part.sample_weights)
    joined = {name: np.concatenate([part[name] for part in answers]) for name in answers[0]}
    return AnsweredRows(joined, np.concatenate(labels), _joined(groups), _joined(weights))


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
