"""What a card is made of: facts that a bundle has, without the libraries that export needs."""

import dataclasses
from collections.abc import Mapping

from polyrank.run_record import RunRecord
from polyrank.signature import Signature


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far a graph's answers were from the trained model's.

    Attributes:
        graph: which graph, in words, such as `this graph`.
        onnxruntime: the version that answered.
        difference: the worst, `|onnx - torch| / max(1, |torch|)`, less what rounding may move answers to rows by that
            are not real; NaN where an answer was no number.
        limit: above which an export is refused.
        output: that has the worst.
        rows: kind of the rows that have it.
        batch_size: number of rows at once.
    """

    graph: str
    onnxruntime: str
    difference: float
    limit: float
    output: str
    rows: str
    batch_size: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss:
    """What a task loses to smaller numbers, with its standard error: see `polyrank.export.quality.MetricLoss`."""

    task: str
    metric: str
    before: float
    after: float
    loss: float
    error: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """A bundle.

    Attributes:
        signature: what the model takes and answers.
        record: the run that it came from; None in bundles of an early Polyrank.
        sizes: bytes of each file of the model by name.
        comparisons: the evidence, that of this graph first.
        losses: by task; none where numbers are as large as the model's.
    """

    signature: Signature
    record: RunRecord | None
    sizes: Mapping[str, int]
    comparisons: tuple[Comparison, ...] = ()
    losses: tuple[Loss, ...] = ()

    @property
    def module(self) -> str | None:
        """Class of a module that was trained elsewhere; None of a run."""
        return None if self.record is None else self.record.module
