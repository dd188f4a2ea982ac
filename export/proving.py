"""Parity of a graph that is written: first of the exact one, then of one with smaller numbers."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from polyrank.models.trained import predict
from polyrank.signature import Precision

from .answers import open_session, run_session
from .graphs import DATA_SUFFIX, Graph
from .parity import TOLERANCE, Expectation, Parity, parity_of
from .quality import MetricLoss, metric_losses
from .reducing import tolerance_of
from .subject import Subject
from .verification import verify_with


class Proof:
    """Writes a graph, and compares the file with the model.

    Attributes:
        parity: what was found last; it is complete when a comparison is refused, too.
    """

    parity: Parity

    def __init__(
        self,
        expected: Sequence[Expectation],
        path: Path,
        verified_with: str | None = None,
        sample: Subject | None = None,
    ) -> None:
        """Prepare: the graph is written to `path`; what it loses is measured on the sample of a ranker, if given."""
        self._expected, self._path, self._version, self._ranker = expected, path, verified_with, sample

    def exact(self, graph: Graph) -> None:
        """Write a graph, and hold it to what the model answers.

        Raises:
            ParityError: it answers differently.
        """
        graph.write(self._path)
        self._compare(tolerance=TOLERANCE, is_reduced=False)
        self.parity.require()

    def reduced(self, graph: Graph, precision: Precision) -> None:
        """Write a graph of smaller numbers in place of the exact one, and hold it to what may be lost.

        Raises:
            ParityError: answers move too far, or a task loses too much.
        """
        exact = self.parity
        for file in (self._path, self._path.with_name(self._path.name + DATA_SUFFIX)):
            file.unlink(missing_ok=True)
        graph.write(self._path)
        self._compare(tolerance=tolerance_of(precision), is_reduced=True)
        self.parity = msgspec.structs.replace(self.parity, losses=self._losses(), exact=exact)
        self.parity.require()

    def _losses(self) -> tuple[MetricLoss, ...]:
        if self._ranker is None:
            return ()
        sample = self._ranker.sample
        after = run_session(open_session(self._path), sample.named())
        return metric_losses(self._ranker, predict(self._ranker.model, sample), after)

    def _compare(self, *, tolerance: float, is_reduced: bool) -> None:
        found = parity_of(self._expected, open_session(self._path))
        self.parity = msgspec.structs.replace(found, tolerance=tolerance, is_reduced=is_reduced)
        if self._version is not None:
            verified = verify_with(self._version, self._path, self._expected, tolerance=tolerance)
            verified = msgspec.structs.replace(verified, is_reduced=is_reduced)
            self.parity = msgspec.structs.replace(self.parity, verified=(verified,))
