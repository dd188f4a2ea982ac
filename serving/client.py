"""`Ranker`: rows in, one column per task out. It encodes with the schema that it reads from the server."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch, Encoder
from polyrank.errors import RequestError, ServerUnavailableError
from polyrank.rows import Rows
from polyrank.signature import REQUEST_SUFFIX, SIGNATURE_KEY, Signature

from .failures import as_polyrank_error
from .requests import check_address, input_of

if TYPE_CHECKING:
    import pyarrow as pa

Answers = dict[str, NDArray[np.float32]]
"""float32 [B, 1] by output; [B, C] of one with several columns."""

_ATTEMPTS = 3
"""How often a call begins anew because another version of the model went live meanwhile."""


@dataclasses.dataclass(frozen=True)
class _Served:
    """What the server said of a model: how to encode for it, how much fits into a request, which version answers."""

    encoder: Encoder
    signature: Signature
    max_batch_size: int
    version: str


class Ranker:
    """Client of a served ranker, over gRPC.

    Safe to share between threads. Holds one connection; use it as a context manager, or call `close`.

    Args:
        url: `host:port` of the server's gRPC endpoint, usually port 8001.
        model: name of the model; None takes the only one that is served.
        timeout_s: time for a call as a whole, in seconds, above 0.

    Raises:
        ConfigError: `url` or `timeout_s` is wrong.
        ServerUnavailableError: no server answers there, or it does not serve the model.
        DeadlineExceededError: the server did not answer in time.
        RepositoryError: the model's signature needs another version of Polyrank.
    """

    def __init__(self, url: str, model: str | None = None, *, timeout_s: float = 10.0) -> None:
        from tritonclient import grpc

        check_address(url, timeout_s)
        self.url = url
        self._timeout_s = timeout_s
        self._grpc = grpc
        self._client: Any = grpc.InferenceServerClient(url)
        try:
            deadline = time.monotonic() + timeout_s
            self.model = self._only_model(deadline) if model is None else model
            self._served = self._read_served(deadline)
        except BaseException:
            self.close()
            raise

    @property
    def signature(self) -> Signature:
        """Schema, layout and origin of the model, as last read from the server."""
        return self._served.signature

    @property
    def version(self) -> str:
        """The model version that the schema was last read for."""
        return self._served.version

    def score(self, rows: Rows) -> "pa.Table":
        """Score rows.

        Args:
            rows: pyarrow table or record batch, pandas or polars frame, or list of dicts. Columns that are no feature
                are ignored. More rows than the model takes in a request are split.

        Returns:
            A table in the order of `rows`, one float32 column per task; of a multiclass one a column of lists of fixed
            size, the probabilities of its classes; of an ordinal one such a column too, `<task>_probabilities`.

        Raises:
            DataError: no rows, a feature's column is missing, or a value does not fit its feature.
            ServerUnavailableError: no server answers, or the model is not ready.
            DeadlineExceededError: the answer did not come within `timeout_s`.
            RequestError: the server refused the request.
        """
        import pyarrow as pa

        deadline = time.monotonic() + self._timeout_s
        for _ in range(_ATTEMPTS):
            served = self._served
            batch = served.encoder.encode(rows)
            try:
                answers, version = self._answer(served, batch, deadline)
            except RequestError:
                self._served = self._read_served(deadline)
                if self._served.version == served.version:
                    raise
                continue
            if version == served.version:
                return pa.table({name: _column(answers[name]) for name in served.signature.outputs})
            # A new version went live since the schema was read: what was sent may mean something else to it.
            self._served = self._read_served(deadline)
        raise RequestError(f"{self._place()}: the model changed version {_ATTEMPTS} times within one call; call again")

    def close(self) -> None:
        """Close the connection. The ranker is of no use afterwards."""
        self._client.close()

    def __enter__(self) -> Self:
        """Return the ranker itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def _answer(self, served: _Served, batch: Batch, deadline: float) -> tuple[Answers, str]:
        """Send the batch in as few requests as fit; return all answers and the version that gave them.

        When a version went live between two requests, the version returned is the newer one, so the caller repeats.
        """
        parts: list[Answers] = []
        version = served.version
        for start in range(0, len(batch), served.max_batch_size):
            part, answered_by = self._infer(served, batch[start : start + served.max_batch_size], deadline)
            parts.append(part)
            version = answered_by if answered_by != served.version else version
        return {name: np.concatenate([part[name] for part in parts]) for name in served.signature.outputs}, version

    def _infer(self, served: _Served, batch: Batch, deadline: float) -> tuple[Answers, str]:
        with self._calling(deadline) as timeout:
            result = self._client.infer(
                self.model,
                [input_of(self._grpc, name, tensor) for name, tensor in batch.named().items()],
                outputs=[self._grpc.InferRequestedOutput(name) for name in served.signature.outputs],
                client_timeout=timeout,
            )
        answers = {}
        for name, width in _widths(served.signature).items():
            values, shape = result.as_numpy(name), (len(batch), width)
            if values is None or values.shape != shape:
                found = None if values is None else list(values.shape)
                raise RequestError(f"{self._place()}: output {name!r} has shape {found}, expected {list(shape)}")
            answers[name] = values
        return answers, str(result.get_response().model_version)

    def _only_model(self, deadline: float) -> str:
        with self._calling(deadline) as timeout:
            index = self._client.get_model_repository_index(client_timeout=timeout)
        names = sorted({entry.name for entry in index.models if entry.state == "READY"})
        # A model over requests is the same one, which its name finds from that over rows.
        names = [name for name in names if name.removesuffix(REQUEST_SUFFIX) not in set(names) - {name}]
        if len(names) != 1:
            served = ", ".join(names) or "none"
            raise ServerUnavailableError(
                f"{self.url} serves {len(names)} models ({served}); name one: Ranker(url, model)"
            )
        return str(names[0])

    def _read_served(self, deadline: float) -> _Served:
        with self._calling(deadline) as timeout:
            version = max(self._client.get_model_metadata(self.model, client_timeout=timeout).versions, key=int)
        with self._calling(deadline) as timeout:
            config = self._client.get_model_config(self.model, client_timeout=timeout).config
        if SIGNATURE_KEY not in config.parameters:
            raise RequestError(f"{self._place()} has no Polyrank signature; publish it with: polyrank publish")
        signature = Signature.from_json(config.parameters[SIGNATURE_KEY].string_value)
        if signature.request is not None:
            raise RequestError(
                f"{self._place()} takes one user with many items, and no rows; name the model over rows: "
                f"{self.model.removesuffix(REQUEST_SUFFIX)!r}"
            )
        return _Served(Encoder(signature.schema), signature, config.max_batch_size, str(version))

    @contextlib.contextmanager
    def _calling(self, deadline: float) -> Iterator[float]:
        """Give the time that is left to a call, and translate what goes wrong in it."""
        from tritonclient.utils import InferenceServerException

        left = max(deadline - time.monotonic(), 1e-3)
        try:
            yield left
        except InferenceServerException as err:
            raise as_polyrank_error(err, self._place(), self._timeout_s) from err

    def _place(self) -> str:
        return f"{getattr(self, 'model', 'server')} at {self.url}"


def _widths(signature: Signature) -> dict[str, int]:
    """Return the columns of each output; a model of an earlier version has fewer outputs."""
    outputs = {name: width for task in signature.schema.tasks for name, width in task.outputs.items()}
    return {name: outputs[name] for name in signature.outputs}


def _column(values: NDArray[np.float32]) -> "pa.Array":
    """Return answers [B, 1] as a column of numbers, [B, C] as one of lists."""
    import pyarrow as pa

    numbers = pa.array(values.reshape(-1))
    return numbers if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(numbers, values.shape[1])
