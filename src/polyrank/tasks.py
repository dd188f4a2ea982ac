"""Kinds of tasks: what a model learns from a label column, and what it answers."""

import math
from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

MAX_CLASSES = 10_000
MIN_LEVELS = 2

PROBABILITIES = "_probabilities"
"""After the name of an ordinal task: the output with a probability for each of its levels."""


class LearnedTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every kind of task has. Null labels and rows where `when` is not 1 do not count.

    Attributes:
        name: of the output.
        label: column of the labels.
        when: column that is 1 where the label was observed; None counts every label that is not null.
        weight: of the task's loss.
    """

    name: str
    label: str
    when: str | None = None
    weight: float = 1.0

    @property
    def num_logits(self) -> int:
        """How many numbers a tower gives for the task."""
        return 1

    @property
    def num_answers(self) -> int:
        """How many numbers answer a row."""
        return 1

    @property
    def outputs(self) -> dict[str, int]:
        """Outputs of an exported model by name, each with its number of columns: the answers first."""
        return {self.name: self.num_answers}

    @property
    def expected_labels(self) -> str:
        """Say which labels are accepted."""
        return "a number"

    def refused(self, labels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark labels [B] that are none of this task; NaN, which is unobserved, is not marked."""
        return np.zeros(len(labels), bool)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Give keys with a value out of range, each with what is wrong."""
        if not 0.0 < self.weight < math.inf:
            yield "weight", f"must be above 0 and finite, got {self.weight}"


class BinaryTask(LearnedTask, frozen=True, kw_only=True, tag="binary"):
    """A probability, learned from 0/1 labels by log-loss."""

    @property
    def expected_labels(self) -> str:
        """Say which labels are accepted."""
        return "0 or 1"

    def refused(self, labels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark labels other than 0 and 1."""
        wrong: NDArray[np.bool_] = ~np.isin(labels, (0, 1)) & ~np.isnan(labels)
        return wrong


class RegressionTask(LearnedTask, frozen=True, kw_only=True, tag="regression"):
    """A number, in label units.

    Attributes:
        transform: `log1p` learns, and measures errors, on the scale of log1p of the label.
        loss: `squared` error, or `huber`, which is linear beyond `huber_delta` (Huber, Ann. Math. Statist. 35, 1964).
        huber_delta: in units of the label, or of its log1p.
    """

    transform: Literal["log1p"] | None = None
    loss: Literal["squared", "huber"] = "squared"
    huber_delta: float = 1.0

    @property
    def expected_labels(self) -> str:
        """Say which labels are accepted."""
        return "a number" if self.transform is None else "0 or above under log1p"

    def refused(self, labels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark negative labels, under log1p."""
        wrong: NDArray[np.bool_] = np.less(labels, -np.inf if self.transform is None else 0)
        return wrong

    def faults(self) -> Iterator[tuple[str, str]]:
        """Give keys with a value out of range, each with what is wrong."""
        yield from LearnedTask.faults(self)
        if not 0.0 < self.huber_delta < math.inf:
            yield "huber_delta", f"must be above 0 and finite, got {self.huber_delta}"


class OrdinalTask(LearnedTask, frozen=True, kw_only=True, tag="ordinal"):
    """A level of an ordered scale, such as 1 to 5 stars; the answer is the expected level.

    Learned by the likelihood of a cumulative logit model (McCullagh, Regression Models for Ordinal Data, JRSS B 42,
    1980): `P(level > levels[k]) = sigmoid(logit - threshold[k])` with increasing thresholds.

    Attributes:
        levels: the labels there are, in increasing order.
    """

    levels: tuple[float, ...]

    @property
    def num_logits(self) -> int:
        """One for each threshold between two levels."""
        return len(self.levels) - 1

    @property
    def outputs(self) -> dict[str, int]:
        """The expected level, and a probability for each level."""
        return {self.name: 1, self.name + PROBABILITIES: len(self.levels)}

    @property
    def expected_labels(self) -> str:
        """Say which labels are accepted."""
        return "one of levels = [" + ", ".join(f"{level:g}" for level in self.levels) + "]"

    def refused(self, labels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark labels that are no level."""
        wrong: NDArray[np.bool_] = ~np.isin(labels, np.array(self.levels, labels.dtype)) & ~np.isnan(labels)
        return wrong

    def faults(self) -> Iterator[tuple[str, str]]:
        """Give keys with a value out of range, each with what is wrong."""
        yield from LearnedTask.faults(self)
        steps = np.diff(np.array(self.levels, np.float32))
        if len(self.levels) < MIN_LEVELS or not (np.isfinite(steps) & (steps > 0)).all():
            yield "levels", f"must be at least {MIN_LEVELS} finite numbers in increasing order, got {list(self.levels)}"


class MulticlassTask(LearnedTask, frozen=True, kw_only=True, tag="multiclass"):
    """One of several classes without an order; the answer is a probability for each class.

    Attributes:
        num_classes: labels are 0 to `num_classes - 1`.
    """

    num_classes: int

    @property
    def num_logits(self) -> int:
        """One for each class."""
        return self.num_classes

    @property
    def num_answers(self) -> int:
        """One for each class."""
        return self.num_classes

    @property
    def expected_labels(self) -> str:
        """Say which labels are accepted."""
        return f"a whole number from 0 to {self.num_classes - 1}"

    def refused(self, labels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark labels that are no class."""
        wrong: NDArray[np.bool_] = (
            (labels < 0) | (labels >= self.num_classes) | (np.trunc(labels) != labels) & ~np.isnan(labels)
        )
        return wrong

    def faults(self) -> Iterator[tuple[str, str]]:
        """Give keys with a value out of range, each with what is wrong."""
        yield from LearnedTask.faults(self)
        if not MIN_LEVELS <= self.num_classes <= MAX_CLASSES:
            yield "num_classes", f"must be in [{MIN_LEVELS}, {MAX_CLASSES}], got {self.num_classes}"


class CountTask(LearnedTask, frozen=True, kw_only=True, tag="count"):
    """A number of events, 0 or above; the answer is the expected number.

    Learned by the likelihood of a Poisson distribution with logarithmic link (Nelder and Wedderburn, Generalized
    Linear Models, JRSS A 135, 1972).
    """

    @property
    def expected_labels(self) -> str:
        """Say which labels are accepted."""
        return "0 or above"

    def refused(self, labels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark negative labels."""
        wrong: NDArray[np.bool_] = np.less(labels, 0)
        return wrong


Task = BinaryTask | RegressionTask | OrdinalTask | MulticlassTask | CountTask


def kind_of(task: Task) -> str:
    """Return the kind, as it is written in the schema."""
    return str(type(task).__struct_config__.tag)
