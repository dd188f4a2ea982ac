"""What a client sends and gets, whatever the transport."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from polyrank.raw_inputs import SerializedTexts

TYPES = {np.dtype(np.int64): "INT64", np.dtype(np.float32): "FP32"}
"""Triton's name of a tensor's type, by numpy's."""

DTYPES: dict[str, np.dtype[Any]] = {
    "INT64": np.dtype("<i8"),
    "INT32": np.dtype("<i4"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""numpy's type of an output, by Triton's name."""


def wire_type(tensor: NDArray[Any]) -> tuple[str, Sequence[int]]:
    """Return Triton's name of a tensor's type, and its shape."""
    if isinstance(tensor, SerializedTexts):
        return "BYTES", tensor.texts_shape
    return TYPES[tensor.dtype], tensor.shape


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One inference request.

    Attributes:
        model: its name.
        tensors: inputs, int64, float32 or texts, contiguous.
        outputs: names of the outputs that are wanted; empty takes all.
        version: the version that shall answer; empty leaves it to the server.
        request_id: goes through to the server's log.
        headers: of this request alone, such as which trace it belongs to.
    """

    model: str
    tensors: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...] = ()
    version: str = ""
    request_id: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a `Call`: its tensors, and the version that gave them."""

    version: str
    tensors: dict[str, NDArray[Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What else a server is asked, in both protocols.

    Attributes:
        verb: of HTTP.
        path: of HTTP, with `{model}` and `{version}` to fill in.
        rpc: method of Triton's gRPC service.
        fields: of the gRPC request, by the names of what is filled in.
        is_check: whether the answer is yes or no, which HTTP says by its status.
        is_control: whether an embedded server takes a key for it.
    """

    verb: str
    path: str
    rpc: str
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_check: bool = False
    is_control: bool = False


_MODEL = {"model": "name"}
_CONTROLLED = {"model": "model_name"}

SERVER_READY = Question("GET", "/v2/health/ready", "ServerReady", is_check=True)
MODEL_READY = Question(
    "GET", "/v2/models/{model}/versions/{version}/ready", "ModelReady", _MODEL | {"version": "version"}, is_check=True
)
METADATA = Question("GET", "/v2/models/{model}", "ModelMetadata", _MODEL)
CONFIG = Question("GET", "/v2/models/{model}/config", "ModelConfig", _MODEL)
INDEX = Question("POST", "/v2/repository/index", "RepositoryIndex", is_control=True)
LOAD = Question("POST", "/v2/repository/models/{model}/load", "RepositoryModelLoad", _CONTROLLED, is_control=True)
UNLOAD = Question("POST", "/v2/repository/models/{model}/unload", "RepositoryModelUnload", _CONTROLLED, is_control=True)


class Transport(Protocol):
    """One way to reach one server. Its methods raise `Failure` alone; a blocking one never suspends."""

    async def infer(self, call: Call, timeout_s: float) -> Reply:
        """Answer one request."""
        ...

    async def ask(self, question: Question, timeout_s: float, **values: str) -> dict[str, Any]:
        """Answer a question; the keys are those of the HTTP protocol. A check answers `{"ready": bool}`."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...
