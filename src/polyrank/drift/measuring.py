"""How far a feature, the labels or the scores of two data sets are apart, and what of that is beyond a limit."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np

from polyrank.tasks import Task, kind_of

from .numbers import NumberReading, NumbersApart
from .readers import NumberReader, ValueReader
from .results import Drift, Limits, Measure, MeasureName, Part, Side
from .stability import normal_limit, share_by_chance
from .values import ValueReading, ValuesApart


@dataclasses.dataclass(frozen=True)
class About:
    """What is compared, and under which limits."""

    name: str
    part: Part
    kind: str
    limits: Limits

    def drift(self, reference: Side, current: Side, measures: Iterable[Measure], **found: Any) -> Drift:
        """Return what was found of it."""
        kept = tuple(measures)
        return Drift(
            name=self.name,
            part=self.part,
            kind=self.kind,
            reference=reference,
            current=current,
            measures=kept,
            drifted=any(measure.value > measure.limit for measure in kept),
            **found,
        )


def number_drift(reference: NumberReader, current: NumberReader, limits: Limits) -> Drift:
    """Compare a feature of numbers."""
    about = About(reference.feature.name, "feature", _kind(reference.feature), limits)
    apart = NumbersApart(reference.numbers, current.numbers)
    measures = [_psi(apart, limits), _missing(reference.numbers, current.numbers, limits)]
    return about.drift(reference.numbers.side(), current.numbers.side(), measures, **_beside(reference.numbers, apart))


def value_drift(reference: ValueReader, current: ValueReader, limits: Limits) -> Drift:
    """Compare a feature that is hashed."""
    about = About(reference.feature.name, "feature", _kind(reference.feature), limits)
    apart = ValuesApart(reference.values, current.values)
    new = max(0.0, apart.new - apart.expected_new)
    measures = [
        _psi(apart, limits),
        _missing(reference.values, current.values, limits),
        _measure("new", new, apart.new_by_chance, limits.new),
        *_of_lists(reference, current, limits),
    ]
    beside = {"new": apart.new, "expected_new": apart.expected_new}
    return about.drift(_value_side(reference), _value_side(current), measures, **beside)


def label_drift(task: Task, reference: NumberReading, current: NumberReading, limits: Limits) -> Drift:
    """Compare labels that are numbers: those that are observed, and how many are."""
    measures, beside = [_missing(reference, current, limits)], {}
    if reference.known and current.known:
        apart = NumbersApart(reference, current, with_missing=False)
        measures = [_psi(apart, limits), *_mean(reference, current, limits), *measures]
        beside = _beside(reference, apart)
    about = About(task.name, "label", kind_of(task), limits)
    return about.drift(reference.side(), current.side(), measures, **beside)


def class_drift(task: Task, reference: ValueReading, current: ValueReading, limits: Limits) -> Drift:
    """Compare the labels of a multi-class task."""
    measures = [_missing(reference, current, limits)]
    if reference.known and current.known:
        measures = [_psi(ValuesApart(reference, current, with_missing=False), limits), *measures]
    sides = (Side(missing=side.missing_share) for side in (reference, current))
    return About(task.name, "label", kind_of(task), limits).drift(next(sides), next(sides), measures)


def score_drift(task: Task, reference: NumberReading, current: NumberReading, limits: Limits) -> Drift:
    """Compare the answers for a task."""
    apart = NumbersApart(reference, current)
    about = About(task.name, "score", kind_of(task), limits)
    measures = [_psi(apart, limits), _missing(reference, current, limits)]
    return about.drift(reference.side(), current.side(), measures, **_beside(reference, apart))


def _beside(reading: NumberReading, apart: NumbersApart) -> dict[str, Any]:
    return {"ks": apart.ks, "column": apart.column if reading.width > 1 else None}


def _value_side(reader: ValueReader) -> Side:
    length = None if reader.lengths is None else reader.lengths.mean
    return Side(missing=reader.values.missing_share, length=length)


def _of_lists(reference: ValueReader, current: ValueReader, limits: Limits) -> Iterator[Measure]:
    """Yield what only lists have; weights where both sides have one."""
    if reference.lengths is not None and current.lengths is not None:
        yield _psi(NumbersApart(reference.lengths, current.lengths), limits, "lengths")
    if reference.weights is not None and current.weights is not None and reference.weights.rows * current.weights.rows:
        yield _psi(NumbersApart(reference.weights, current.weights), limits, "weights")


def _psi(apart: NumbersApart | ValuesApart, limits: Limits, name: MeasureName = "psi") -> Measure:
    return _measure(name, apart.psi, apart.psi_by_chance, limits.psi)


def _missing(reference: ValueReading | NumberReading, current: ValueReading | NumberReading, limits: Limits) -> Measure:
    shares = reference.missing_share, current.missing_share
    chance = share_by_chance(shares, (reference.rows, current.rows))
    return _measure("missing", abs(shares[1] - shares[0]), chance, limits.missing)


def _mean(reference: NumberReading, current: NumberReading, limits: Limits) -> Iterator[Measure]:
    """Yield the change of the mean as a share of what it was, unless that was 0.

    Chance is that of two samples of what both are together, as it is of shares, but for values far beyond the
    reference: these would raise the limit more than the mean.
    """
    if reference.mean == 0:
        return
    step, (n, m) = current.mean - reference.mean, (reference.known, current.known)
    between = step**2 * n * m / (n + m) ** 2
    variance = (reference.variance * n + _variance_within(reference, current) * m) / (n + m) + between
    chance = normal_limit() * math.sqrt(variance * (1 / n + 1 / m))
    yield _measure("mean", abs(step / reference.mean), chance / abs(reference.mean), limits.label)


def _variance_within(reference: NumberReading, current: NumberReading) -> float:
    """Return the variance of the current numbers, cut where they are further outside of the reference than it is wide.

    The newest of numbers with a long tail are often a little beyond all others, which chance must allow.
    """
    known = reference.sample()[:, 0].astype(np.float64)
    low, high = known.min(), known.max()
    return float(current.sample()[:, 0].astype(np.float64).clip(2 * low - high, 2 * high - low).var())


def _measure(name: MeasureName, value: float, chance: float, limit: float) -> Measure:
    return Measure(name=name, value=value, chance=chance, limit=max(chance, limit))


def _kind(feature: msgspec.Struct) -> str:
    return str(type(feature).__struct_config__.tag)
