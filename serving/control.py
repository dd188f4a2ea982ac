"""`ModelControl`: has a running server load, unload and prove models."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.raw_inputs import serialized
from polyrank.signature import Signature

from .addresses import check_timeout
from .calls import CONFIG, LOAD, METADATA, MODEL_READY, UNLOAD, Call
from .closing import Closing
from .one_server import OneServer
from .options import ClientOptions
from .served import signature_in


class ModelControl(Closing):
    """Control of the models of a server that runs in Triton's explicit mode, as `polyrank serve` does.

    Keeps its connection open; use it as a context manager, or call `close`.

    Args:
        url: of the server, as `Ranker` takes it.
        timeout_s: time for each call, a load included, in seconds, above 0.
        options: headers, TLS and compression; each call is tried once, since a load that is under way may still end
            well.

    Raises:
        ConfigError: `url` or `timeout_s` is wrong.
    """

    def __init__(self, url: str, *, timeout_s: float = 60.0, options: ClientOptions | None = None) -> None:
        check_timeout(timeout_s)
        self.url = url
        self._server = OneServer(url, timeout_s, options)

    def serves(self, model: str, version: int) -> bool:
        """Say whether a version answers.

        Raises:
            ServerUnavailableError: no server answers.
            DeadlineExceededError: the answer did not come in time.
        """
        return bool(self._server.ask(MODEL_READY, model=model, version=str(version))["ready"])

    def versions(self, model: str) -> tuple[int, ...]:
        """Return the versions of a model that answer, ascending.

        Raises:
            ModelNotReadyError: it is not served.
            ServerUnavailableError: no server answers.
            DeadlineExceededError: the answer did not come in time.
        """
        return tuple(sorted(map(int, self._server.ask(METADATA, model=model).get("versions", []))))

    def signature(self, model: str) -> Signature:
        """Return what a server says of the newest version of a model.

        Raises:
            RequestError: the model has no signature.
            RepositoryError: it has one of another version of Polyrank.
            PolyrankError: as `versions`.
        """
        return signature_in(self._server.ask(CONFIG, model=model), f"{model} at {self.url}")

    def max_batch_size(self, model: str) -> int:
        """Return how many rows a request takes; 0 where it is not made of rows.

        Raises:
            PolyrankError: as `versions`.
        """
        return int(self._server.ask(CONFIG, model=model).get("max_batch_size", 0))

    def load(self, model: str) -> None:
        """Load a model as it lies in the server's repository, and return when its live versions answer.

        Raises:
            ServerUnavailableError: no server answers.
            DeadlineExceededError: the model was not loaded in time.
            RequestError: the model does not load, or the server is not in explicit mode.
        """
        self._server.ask(LOAD, model=model)

    def unload(self, model: str) -> None:
        """Serve a model no longer.

        Raises:
            PolyrankError: as `load`.
        """
        self._server.ask(UNLOAD, model=model)

    def answer(
        self, model: str, version: int, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.float32]]:
        """Answer one request with one version; float32 [B, C] by output name.

        Raises:
            ServerUnavailableError: no server answers, or it does not serve the version.
            DeadlineExceededError: the answer did not come in time.
            RequestError: the server refused the request.
        """
        tensors = {
            name: serialized(tensor) if tensor.dtype.hasobject else np.ascontiguousarray(tensor)
            for name, tensor in inputs.items()
        }
        return self._server.infer(Call(model, tensors, version=str(version))).tensors

    def close(self) -> None:
        """Close the connection."""
        self._server.close()
