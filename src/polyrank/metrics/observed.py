"""The rows of a task that count."""

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .grouped_scores import GroupedScores
from .ordering import order_within


@dataclasses.dataclass(frozen=True)
class Observed:
    """Rows with an observed label and a weight above 0.

    Attributes:
        answers: [n], or [n, num_classes] of a multi-class task.
        labels: float64 [n].
        weights: float64 [n], above 0.
        groups: int64 [n], small numbers, -1 where there is none; None when rows have no groups.
    """

    answers: NDArray[np.floating]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]
    groups: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls,
        answers: NDArray[np.floating],
        labels: NDArray[np.floating],
        weights: NDArray[np.floating] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> "Observed":
        """Choose among all rows [B] those that count."""
        counts = ~np.isnan(labels) if weights is None else ~np.isnan(labels) & (weights > 0)
        return cls(
            answers[counts],
            labels[counts].astype(np.float64),
            np.ones(int(counts.sum())) if weights is None else weights[counts].astype(np.float64),
            None if groups is None else groups[counts],
        )

    def __len__(self) -> int:
        """Return n."""
        return len(self.labels)

    @cached_property
    def predicted(self) -> NDArray[np.float64]:
        """The answers in the precision that metrics are computed in."""
        return self.answers.astype(np.float64)

    @cached_property
    def by_answer(self) -> NDArray[np.int64]:
        """The rows [n] in the order of their answers; not of a multi-class task."""
        return np.argsort(self.answers)

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Which binary labels are 1, bool [n]."""
        positive: NDArray[np.bool_] = self.labels == 1
        return positive

    @cached_property
    def grouped_scores(self) -> GroupedScores:
        """The rows within their groups; none when rows have no groups."""
        groups = np.full(len(self), -1) if self.groups is None else self.groups
        order = order_within(groups, self.by_answer)
        return GroupedScores(self.answers[order], self.positive[order], self.weights[order], groups[order], order)
