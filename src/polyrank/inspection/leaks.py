"""Features that alone tell a label nearly as well as the label would."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.schema import Schema

from .findings import Finding
from .kinds import Reader
from .labels import LabelInspector, labels_of
from .signals import MIN_CLASS_ROWS, Signal, strength

LEAK_AUC = 0.95
LEAK_CORRELATION = 0.98
HALVES = b"halves"
"""Keeps the draw apart from others of the same seed, such as the sample's, or that of simulated data."""


def alone(
    readers: Sequence[Reader], tasks: Sequence[LabelInspector], sample: Any, seed: int
) -> dict[str, dict[str, float]]:
    """Return how well each feature tells each label, by feature and task, on the rows of `sample`."""
    labels = {
        task.task.name: labels_of(task.task, {name: sample.column(name) for name in task.columns}) for task in tasks
    }
    found = {}
    for reader in readers:
        signals = reader.signals({name: sample.column(name) for name in reader.columns})
        found[reader.feature.name] = _by_task(signals, tasks, labels, seed)
    return found


def leak_findings(found: dict[str, dict[str, float]], tasks: Sequence[LabelInspector]) -> Iterator[Finding]:
    """Name the features that tell too much, and the tasks whose rows are too few to see."""
    for task in tasks:
        strengths = {name: by_task[task.task.name] for name, by_task in found.items() if task.task.name in by_task}
        if found and not strengths:
            few = f"{MIN_CLASS_ROWS} {'of each class' if task.is_binary else 'with a label'}"
            message = (
                f"too few rows to look for leaks: the half that is judged needs {few}; bring more ({task.task.name})"
            )
            yield Finding(level="note", check="leak", column=task.task.label, message=message)
        limit, measure = (LEAK_AUC, "AUC") if task.is_binary else (LEAK_CORRELATION, "correlation")
        for name, value in strengths.items():
            if value > limit:
                message = (
                    f"alone reaches {measure} {value:.3f} on {task.task.name}, as what is made of the outcome does; "
                    "leave it out unless it is known before the outcome"
                )
                yield Finding(level="warning", check="leak", column=name, message=message)


def condition_findings(schema: Schema) -> Iterator[Finding]:
    """Name features that a task is conditioned on: they are 1 wherever its label counts."""
    for task in schema.tasks:
        if task.when in schema.feature_columns:
            message = f"is what {task.name} is conditioned on, and an outcome itself; leave it out of the features"
            yield Finding(level="warning", check="leak", column=task.when, message=message)


def _by_task(
    signals: Sequence[Signal], tasks: Sequence[LabelInspector], labels: dict[str, NDArray[np.float64]], seed: int
) -> dict[str, float]:
    found = {}
    for task in tasks:
        told = [_strength(signal, task, labels[task.task.name], seed) for signal in signals]
        known = [value for value in told if value is not None]
        if known:
            found[task.task.name] = max(known)
    return found


def _strength(signal: Signal, task: LabelInspector, labels: NDArray[np.float64], seed: int) -> float | None:
    generator = np.random.default_rng((seed, *HALVES))
    return strength(signal, labels, generator, is_binary=task.is_binary)
