"""`LocalRanker`: a bundle in this process, for rows that need no server."""

import concurrent.futures
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import instance, integer
from polyrank.encoder import Batch
from polyrank.errors import MissingExtraError, RepositoryError, RequestError
from polyrank.rows import Rows
from polyrank.signature import Signature

from .closing import Closing
from .ranking import column_of
from .served import Served

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of one run: what a run holds in between stays in the cache of a core.
_ROWS = 1024


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
        path = Path(bundle)
        signature = Signature.load(path)
        if signature.request is not None:
            raise RepositoryError(f"{path} takes one user with many items, and no rows; name the bundle it lies in")
        version = path.name if path.name.isdigit() else ""
        self._served = Served(signature.schema.name, version, signature, _ROWS)
        self._session = _session(path / "model.onnx")
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
        """
        import pyarrow as pa

        batch = self._served.encoder.encode(rows)
        parts = [batch[start : start + _ROWS] for start in range(0, len(batch), _ROWS)]
        found = list(self._pool.map(self._run, parts))
        columns = [column_of(np.concatenate([part[place] for part in found])) for place in range(len(found[0]))]
        return pa.Table.from_arrays(columns, schema=self._served.answers)

    def close(self) -> None:
        """Free the graph."""
        self._pool.shutdown()
        self._session = None

    def _run(self, part: Batch) -> list[NDArray[np.float32]]:
        try:
            found: list[NDArray[np.float32]] = self._session.run([*self._served.widths], part.named())
        except Exception as err:  # its errors have no base of their own
            raise RequestError(f"{self.model}: ONNX Runtime cannot run the graph: {str(err).splitlines()[0]}") from err
        return found


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
        raise RepositoryError(f"{file} cannot be loaded: {str(err).splitlines()[0]}; export the run anew") from err
