"""Rows cut into blocks, each of which one thread encodes and runs, into answers that lie ready for all."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch, Encoder
from polyrank.errors import RequestError, RowError
from polyrank.reasons import first_line

from .ranking import Floats, column_of
from .served import Served

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pyarrow as pa

BLOCK_ROWS = 1024
"""What a thread takes at a time: its ids, and what a run holds in between, stay in the cache of a core."""

_RUN_ROWS = 512
"""Rows of one run, among the fastest of 128 to 4,096 (benchmarks/scoring.py).

The last rows of a length that is no multiple of a kernel's stride get other last bits. So a block that is not full is
run as a whole, and where rows are cut depends on nothing but their place.
"""


class BlockRunner:
    """Answers blocks of rows with a session of ONNX Runtime. Safe to share between threads; each has its own arrays."""

    def __init__(self, served: Served, session: Any) -> None:
        self._served, self._session = served, session
        self._encoder = Encoder(served.signature.schema, threads=1)
        self._own = threading.local()

    def run(self, rows: "pa.Table | Batch", start: int, answers: Sequence[Floats]) -> None:
        """Encode and run the block that begins with row `start`, and write what is found to these rows of `answers`.

        Args:
            rows: all rows, B of them, encoded or not.
            start: a multiple of `BLOCK_ROWS`.
            answers: of each output, float32 (B, its width).

        Raises:
            DataError: a feature's column is missing, or a value does not fit its feature.
            RequestError: ONNX Runtime cannot run the graph.
        """
        batch = rows[start : start + BLOCK_ROWS] if isinstance(rows, Batch) else self._encoded(rows, start)
        size = _RUN_ROWS if len(batch) == BLOCK_ROWS else len(batch)
        for first in range(0, len(batch), size):
            found = self._run(batch[first : first + size])
            for values, answer in zip(found, answers, strict=True):
                answer[start + first : start + first + size] = values

    def close(self) -> None:
        """Free the graph."""
        self._session = None

    def _encoded(self, rows: "pa.Table", start: int) -> Batch:
        block = rows.slice(start, BLOCK_ROWS)
        try:
            return self._encoder.encode(block, out=self._arrays()[: len(block)])
        except RowError as err:
            raise err.after(start) from err

    def _arrays(self) -> Batch:
        """Return arrays of this thread for a block: of new ones each page is zeroed, and none is in the cache."""
        if not hasattr(self._own, "batch"):
            encoder = self._encoder
            self._own.batch = Batch(
                np.empty((BLOCK_ROWS, encoder.num_slots), np.int64),
                np.empty((BLOCK_ROWS, encoder.num_dense), np.float32),
                np.empty((BLOCK_ROWS, encoder.num_weights), np.float32) if encoder.num_weights else None,
            )
        batch: Batch = self._own.batch
        return batch

    def _run(self, batch: Batch) -> list[NDArray[np.float32]]:
        try:
            found: list[NDArray[np.float32]] = self._session.run([*self._served.widths], batch.named())
        except Exception as err:  # its errors have no base of their own
            model, reason = self._served.model, first_line(err)
            raise RequestError(f"{model}: ONNX Runtime cannot run the graph: {reason}") from err
        return found


class Pending:
    """Scores whose blocks are being run.

    Args:
        schema: of the scores.
        answers: of each output, float32 (B, its width): what the blocks write to.
        blocks: what is being done, in the order of rows.
    """

    def __init__(self, schema: "pa.Schema", answers: Sequence[Floats], blocks: "Sequence[Future[None]]") -> None:
        self._schema, self._answers, self._blocks = schema, answers, blocks

    def result(self) -> "pa.Table":
        """Wait, and return the scores, whose memory is that of the answers.

        Raises:
            PolyrankError: that of the first block that has one.
        """
        import pyarrow as pa

        try:
            for block in self._blocks:
                block.result()
        except BaseException:
            self.cancel()
            raise
        return pa.Table.from_arrays([column_of(answer) for answer in self._answers], schema=self._schema)

    def cancel(self) -> None:
        """Leave out the blocks that are not begun."""
        for block in self._blocks:
            block.cancel()
