"""`ModelControl`: has a running server load, unload and prove models, over gRPC."""

import contextlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .failures import as_polyrank_error
from .requests import check_address, input_of


class ModelControl:
    """Control of the models of a server that runs in Triton's explicit mode, as `polyrank serve` does.

    Holds one connection; use it as a context manager, or call `close`.

    Args:
        url: `host:port` of the server's gRPC endpoint, usually port 8001.
        timeout_s: time for each call, a load included, in seconds, above 0.

    Raises:
        ConfigError: `url` or `timeout_s` is wrong.
    """

    def __init__(self, url: str, *, timeout_s: float = 60.0) -> None:
        from tritonclient import grpc

        check_address(url, timeout_s)
        self.url = url
        self._timeout_s = timeout_s
        self._grpc = grpc
        self._client: Any = grpc.InferenceServerClient(url)

    def serves(self, model: str, version: int) -> bool:
        """Say whether a version answers.

        Raises:
            ServerUnavailableError: no server answers.
            DeadlineExceededError: the answer did not come in time.
        """
        with self._calling(model):
            return bool(self._client.is_model_ready(model, str(version), client_timeout=self._timeout_s))

    def load(self, model: str) -> None:
        """Load a model as it lies in the server's repository, and return when its live versions answer.

        Raises:
            ServerUnavailableError: no server answers.
            DeadlineExceededError: the model was not loaded in time.
            RequestError: the model does not load, or the server is not in explicit mode.
        """
        with self._calling(model):
            self._client.load_model(model, client_timeout=self._timeout_s)

    def unload(self, model: str) -> None:
        """Serve a model no longer.

        Raises:
            As `load`.
        """
        with self._calling(model):
            self._client.unload_model(model, client_timeout=self._timeout_s)

    def answer(
        self, model: str, version: int, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.float32]]:
        """Answer one request with one version; float32 [B, C] by output name, without outputs that came back empty.

        Raises:
            ServerUnavailableError: no server answers, or it does not serve the version.
            DeadlineExceededError: the answer did not come in time.
            RequestError: the server refused the request.
        """
        with self._calling(model):
            result = self._client.infer(
                model,
                [input_of(self._grpc, name, tensor) for name, tensor in inputs.items()],
                model_version=str(version),
                client_timeout=self._timeout_s,
            )
        values = {entry.name: result.as_numpy(entry.name) for entry in result.get_response().outputs}
        return {name: value for name, value in values.items() if value is not None}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        """Return the control itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    @contextlib.contextmanager
    def _calling(self, model: str) -> Iterator[None]:
        from tritonclient.utils import InferenceServerException

        try:
            yield
        except InferenceServerException as err:
            raise as_polyrank_error(err, f"{model} at {self.url}", self._timeout_s) from err
