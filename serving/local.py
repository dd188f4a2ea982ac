"""`LocalRanker`: a bundle in this process, for rows that need no server."""

import concurrent.futures
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyrank.arguments import instance, integer
from polyrank.errors import ConfigError, MissingExtraError, RepositoryError
from polyrank.reasons import first_line
from polyrank.rows import Rows
from polyrank.signature import Signature
from polyrank.triton_config import published_version

from .blocks import BLOCK_ROWS, BlockRunner, Pending
from .closing import Closing
from .served import Served

if TYPE_CHECKING:
    import pyarrow as pa


class LocalRanker(Closing):
    """Scores rows with the graph of a bundle, in ONNX Runtime, on all cores. Safe to share between threads.

    Args:
        bundle: its directory, or that of a published version.
        threads: how many runs side by side, each on one core; None takes all that the process may use.

    Raises:
        RepositoryError: the bundle is missing or damaged, or its graph is one over requests.
        ConfigError: `threads` is not 1 or above.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, bundle: str | os.PathLike[str], *, threads: int | None = None) -> None:
        threads = len(os.sched_getaffinity(0)) if threads is None else threads
        threads = integer("threads", threads, range(1, 1025), "[1, 1024]")
        instance("bundle", bundle, str | os.PathLike, "the directory of a bundle")
        path, self._is_closed = Path(bundle), False
        self._served = served_by(path)
        self._runner = BlockRunner(self._served, _session(path / "model.onnx"))
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "polyrank-local")

    @property
    def model(self) -> str:
        """Name of the model's schema."""
        return self._served.model

    @property
    def version(self) -> str:
        """Version of a published model; empty of a bundle."""
        return self._served.version

    @property
    def signature(self) -> Signature:
        """Schema, layout and origin of the model."""
        return self._served.signature

    def score(self, rows: Rows) -> "pa.Table":
        """Score rows; as `Ranker.score`.

        Raises:
            DataError: no rows, a feature's column is missing, or a value does not fit its feature.
            RequestError: ONNX Runtime cannot run the graph.
            ConfigError: the ranker is closed.
        """
        return self.start(rows).result()

    def start(self, rows: Rows) -> Pending:
        """Begin to score rows, on all threads, after what was begun before; `result()` waits and is as `score`.

        Scores are the same, bit for bit, whatever the number of threads. Arrow tables are encoded on the threads;
        other rows are encoded here.

        Raises:
            DataError: rows that are no Arrow table are wrong.
            ConfigError: the ranker is closed.
        """
        import pyarrow as pa

        if self._is_closed:
            raise ConfigError("the ranker is closed; make a new one")
        source = rows if isinstance(rows, pa.Table) and len(rows) > 0 else self._served.encoder.encode(rows)
        answers = [np.empty((len(source), width), np.float32) for width in self._served.widths.values()]
        blocks = [
            self._pool.submit(self._runner.run, source, start, answers) for start in range(0, len(source), BLOCK_ROWS)
        ]
        return Pending(self._served.answers, answers, blocks)

    def close(self) -> None:
        """Free the graph."""
        self._is_closed = True
        self._pool.shutdown(cancel_futures=True)
        self._runner.close()


def served_by(bundle: Path) -> Served:
    """Return what a bundle, or a published version, says of itself, without its graph.

    Raises:
        RepositoryError: it is missing or damaged, or its graph is one over requests.
    """
    signature = Signature.load(bundle)
    if signature.request is not None:
        raise RepositoryError(f"{bundle} takes one user with many items, and no rows; name the bundle it lies in")
    return Served(signature.schema.name, str(published_version(bundle) or ""), signature, BLOCK_ROWS)


def _session(file: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingExtraError("scoring without a server needs onnxruntime; pip install 'polyrank[cpu]'") from err
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as err:  # its errors have no base of their own
        raise RepositoryError(f"{file} cannot be loaded: {first_line(err)}; export the run anew") from err
