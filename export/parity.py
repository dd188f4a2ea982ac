"""Does the exported graph answer like the trained model? Every output, on real and awkward rows and batch sizes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.decoding import decode_json
from polyrank.errors import ParityError
from polyrank.models.trained import predict

from .answers import Answers, run_session
from .movement import movement, scaled_gap
from .probes import BATCH_SIZES, make_probes
from .quality import MetricLoss, require_quality
from .subject import Subject

_NUMBERS = {"absolute", "relative", "difference", "before", "after", "loss", "error"}

TOLERANCE = 1e-5

SLACK = 4.0
"""So many times as far as rounding moves an answer may a graph move it, on rows that are not real."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The largest differences of one output on one kind of rows at one batch size.

    Attributes:
        task: name of the output: that of a task, or of the probabilities of an ordinal one.
        rows: kind of the rows, see `Probe`.
        batch_size: number of rows that went through the graph at once.
        absolute: `max |onnx - torch|`.
        relative: `max |onnx - torch| / |torch|`, over answers other than 0.
        difference: what counts: `max |onnx - torch| / max(1, |torch|)`, absolute for answers up to 1 and relative
            above, less `SLACK` times what rounding moves the answer by where rows are not real.
        overflowed: answers that are beyond float32 in PyTorch itself, and so are not compared.
    """

    task: str
    rows: str
    batch_size: int
    absolute: float
    relative: float
    difference: float
    overflowed: int = 0


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence of a comparison; written beside the model.

    Attributes:
        onnxruntime: the version that answered.
        tolerance: of the differences.
        verified: the same comparison in other versions.
        is_reduced: whether numbers are smaller than the model's: then real rows alone must be within the tolerance,
            and answers to awkward ones be numbers.
        losses: what tasks lose to smaller numbers.
        exact: the comparison of the graph before its numbers became smaller.
    """

    differences: tuple[Difference, ...]
    onnxruntime: str
    tolerance: float = TOLERANCE
    verified: "tuple[Parity, ...]" = ()
    is_reduced: bool = False
    losses: tuple[MetricLoss, ...] = ()
    exact: "Parity | None" = None

    @property
    def worst(self) -> Difference:
        """The largest difference; one that is not a number counts as larger than all."""
        counted = [entry for entry in self.differences if not self.is_reduced or _counts_reduced(entry)]
        return max(counted, key=lambda entry: np.inf if np.isnan(entry.difference) else entry.difference)

    def require(self) -> None:
        """Refuse a graph that differs.

        Raises:
            ParityError: the worst difference is above the tolerance, or not a number, in this version or another; or a
                task loses too much to smaller numbers.
        """
        worst = self.worst
        if not worst.difference <= self.tolerance:
            raise ParityError(
                f"task {worst.task!r} differs from PyTorch by {worst.difference:.1e} at batch {worst.batch_size} of "
                f"{worst.rows} rows in ONNX Runtime {self.onnxruntime} (limit {self.tolerance:.0e})"
            )
        for other in self.verified:
            other.require()
        require_quality(self.losses)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            msgspec.DecodeError: it is something else.
        """
        return msgspec.convert(_with_nan(decode_json(text, Any)), type=cls)

    def to_json(self) -> str:
        """Write the evidence as JSON; a difference that is not a number is null, since JSON has no NaN."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"


@dataclasses.dataclass(frozen=True)
class Expectation:
    """Rows of one kind and number, and what the trained model answers.

    Attributes:
        rows: kind of the rows.
        inputs: tensors by name, as the graph takes them.
        size: how many rows they are.
        answers: of the model.
        movement: by how much rounding moves each; None where it must not count.
    """

    rows: str
    inputs: Mapping[str, NDArray[Any]]
    size: int
    answers: Answers
    movement: dict[str, NDArray[np.float64]] | None


def expectations(ranker: Subject) -> list[Expectation]:
    """Ask the model, once for all graphs that are compared with it."""
    found = []
    for probe in make_probes(ranker):
        moved = None if probe.is_strict else movement(ranker.model, probe.rows)
        for size in BATCH_SIZES:
            batch, places = probe.batch(size), probe.places(size)
            own = None if moved is None else {name: values[places] for name, values in moved.items()}
            answers = predict(ranker.model, batch, as_served=True)
            found.append(Expectation(probe.name, batch.named(), size, answers, own))
    return found


def compare(expected: Sequence[Expectation], answers: Sequence[Answers]) -> tuple[Difference, ...]:
    """Set answers beside those expected, output by output."""
    return tuple(
        _difference(entry, name, own[name])
        for entry, own in zip(expected, answers, strict=True)
        for name in entry.answers
    )


def parity_of(expected: Sequence[Expectation], session: Any) -> Parity:
    """Compare what a session of this process answers."""
    import onnxruntime

    answers = [run_session(session, entry.inputs) for entry in expected]
    return Parity(differences=compare(expected, answers), onnxruntime=onnxruntime.__version__)


def difference(answers: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return `max |answers - expected| / max(1, |expected|)`; not a number when a single answer is none."""
    return float(np.max(scaled_gap(answers, expected)))


def _with_nan(value: Any) -> Any:
    """Put numbers that are none in the place of null, where numbers stand."""
    if isinstance(value, list):
        return [_with_nan(item) for item in value]
    if isinstance(value, dict):
        return {key: np.nan if key in _NUMBERS and item is None else _with_nan(item) for key, item in value.items()}
    return value


def _counts_reduced(entry: Difference) -> bool:
    return entry.rows.startswith("sample") or (entry.rows.startswith("awkward") and not np.isfinite(entry.difference))


def _difference(entry: Expectation, name: str, answers: NDArray[np.float32]) -> Difference:
    expected = entry.answers[name].astype(np.float64)
    scaled, moved, counts = scaled_gap(answers, entry.answers[name]), np.zeros(expected.shape), np.ones(1, bool)
    if entry.movement is not None:
        moved = entry.movement[name]
        counts = np.isfinite(expected) & np.isfinite(moved)
    with np.errstate(invalid="ignore"):
        gaps = np.where(counts, np.abs(answers - expected), 0.0)
        excess = np.where(counts, scaled - SLACK * moved, 0.0)
        relative = np.divide(gaps, np.abs(expected), out=np.zeros(gaps.shape), where=expected != 0.0)
    return Difference(
        task=name,
        rows=entry.rows,
        batch_size=entry.size,
        absolute=float(np.max(gaps)),
        relative=float(np.max(relative)),
        difference=float(np.maximum(np.max(excess), 0.0)),
        overflowed=int(np.count_nonzero(~counts)),
    )
