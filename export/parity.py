"""Does the exported graph answer like the trained model? Every task, on real and awkward rows and batch sizes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch
from polyrank.errors import MissingExtraError, ParityError
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict

BATCH_SIZES = (1, 2, 33, 1000)
TOLERANCE = 1e-5

Answers = dict[str, NDArray[np.float32]]
"""float32 [B] by task; [B, C] of a multiclass one."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The largest difference of one task at one batch size.

    Attributes:
        task: name of the task.
        batch_size: number of rows that went through the graph at once.
        difference: `max |onnx - torch| / max(1, |torch|)`: absolute for answers up to 1, relative above.
    """

    task: str
    batch_size: int
    difference: float


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence of a comparison; written beside the model."""

    differences: tuple[Difference, ...]
    tolerance: float = TOLERANCE

    @property
    def worst(self) -> Difference:
        """The largest difference; one that is not a number counts as larger than all."""
        return max(self.differences, key=lambda entry: np.inf if np.isnan(entry.difference) else entry.difference)

    def to_json(self) -> str:
        """Write the evidence as JSON; a difference that is not a number is null, since JSON has no NaN."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"


def open_session(model: bytes | Path) -> Any:
    """Load a model into ONNX Runtime on the CPU.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingExtraError("export needs onnxruntime; pip install 'polyrank[export,cpu]'") from err
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, inputs: Mapping[str, NDArray[Any]]) -> Answers:
    """Answer rows, float32 [B] by output name; [B, C] of a multiclass task."""
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, dict(inputs))
    return {name: value if value.shape[1] > 1 else value[:, 0] for name, value in zip(names, values, strict=True)}


def compare(ranker: TrainedRanker, session: Any) -> Parity:
    """Compare graph and model at every batch size."""
    rows = sample_rows(ranker, max(BATCH_SIZES))
    found = []
    for batch_size in BATCH_SIZES:
        batch = rows[:batch_size]
        expected, answers = predict(ranker.model, batch), run_session(session, batch.named())
        found += [
            Difference(task=name, batch_size=batch_size, difference=difference(answers[name], expected[name]))
            for name in expected
        ]
    return Parity(differences=tuple(found))


def require(parity: Parity) -> None:
    """Refuse a graph that differs.

    Raises:
        ParityError: the worst difference is above the tolerance, or not a number.
    """
    worst = parity.worst
    if not worst.difference <= parity.tolerance:
        raise ParityError(
            f"task {worst.task!r} differs from PyTorch by {worst.difference:.1e} at batch {worst.batch_size} "
            f"(limit {parity.tolerance:.0e})"
        )


def sample_rows(ranker: TrainedRanker, count: int) -> Batch:
    """Take `count` rows of the validation sample, repeated when it is shorter; the second has every value missing."""
    sample = ranker.sample
    real = sample[np.arange(count - 1) % len(sample)]
    ids = np.concatenate([real.ids[:1], np.full((1, sample.ids.shape[1]), -1), real.ids[1:]])
    dense = np.concatenate([real.dense[:1], np.full((1, sample.dense.shape[1]), np.nan, np.float32), real.dense[1:]])
    if real.weights is None:
        return Batch(ids, dense)
    none = np.zeros((1, real.weights.shape[1]), np.float32)
    return Batch(ids, dense, np.concatenate([real.weights[:1], none, real.weights[1:]]))


def difference(answers: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return `max |answers - expected| / max(1, |expected|)`; not a number when a single answer is none."""
    wide = expected.astype(np.float64)
    return float(np.max(np.abs(answers - wide) / np.maximum(1.0, np.abs(wide))))
