"""A gRPC server that speaks Triton's protocol and misbehaves as told, to see what the client makes of it."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from polyrank.schema import Schema
from polyrank.signature import SIGNATURE_KEY, Signature, slots_of

ITEM = '[{ name = "item", kind = "categorical", dtype = "int64", num_buckets = 5 }]'
SCHEMA = Schema.from_toml(
    f'name = "fake"\nfeatures = {ITEM}\ntasks = [{{ name = "click", kind = "binary", label = "is_click" }}]'
)
SIGNATURE = Signature(
    schema=SCHEMA,
    slots=slots_of(SCHEMA),
    dense=(),
    outputs=("click",),
    opset=20,
    ir_version=10,
    triton="26.07",
    run_id="0123456789ab",
    polyrank="0.1.0",
)

Refusal = tuple[grpc.StatusCode, str]


@dataclasses.dataclass
class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Serves `fake`, which answers 0.5 to every row.

    Attributes:
        version: what it says it serves.
        answering: which version an inference says it comes from, by the number of the call; None is `version`.
        refuse: how a call is refused, by its number; None answers it.
        shape: of an output, by the number of rows; None leaves the output out.
        delay_s: how long an inference takes.
        signature: in the parameters of the configuration.
        models: in the repository index.
        batch_sizes: of the inferences so far.
        metadata: of all calls so far.
    """

    version: str = "1"
    answering: Callable[[int], str | None] = lambda _call: None
    refuse: Callable[[int], Refusal | None] = lambda _call: None
    shape: Callable[[int], list[int] | None] = lambda rows: [rows, 1]
    delay_s: float = 0.0
    signature: str = SIGNATURE.to_json()
    models: tuple[str, ...] = ("fake",)
    batch_sizes: list[int] = dataclasses.field(default_factory=list)
    metadata: list[dict[str, str]] = dataclasses.field(default_factory=list)

    def RepositoryIndex(self, _request: Any, context: Any) -> Any:  # noqa: N802 (Triton's name)
        self._note(context)
        index = [service_pb2.RepositoryIndexResponse.ModelIndex(name=name, state="READY") for name in self.models]
        return service_pb2.RepositoryIndexResponse(models=index)

    def ModelMetadata(self, _request: Any, context: Any) -> Any:  # noqa: N802
        self._note(context)
        return service_pb2.ModelMetadataResponse(name="fake", versions=[self.version])

    def ModelConfig(self, _request: Any, context: Any) -> Any:  # noqa: N802
        self._note(context)
        answer = service_pb2.ModelConfigResponse()
        answer.config.max_batch_size = 4
        answer.config.parameters[SIGNATURE_KEY].string_value = self.signature
        return answer

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(context)
        call = len(self.batch_sizes)
        rows = request.inputs[0].shape[0]
        self.batch_sizes.append(rows)
        time.sleep(self.delay_s)
        refusal = self.refuse(call)
        if refusal is not None:
            context.abort(*refusal)
        answer = service_pb2.ModelInferResponse(model_name="fake", model_version=self.answering(call) or self.version)
        shape = self.shape(rows)
        if shape is not None:
            answer.outputs.add(name="click", datatype="FP32", shape=shape)
            answer.raw_output_contents.append(np.full(shape, 0.5, np.float32).tobytes())
        return answer

    def _note(self, context: Any) -> None:
        self.metadata.append(dict(context.invocation_metadata()))

    @contextmanager
    def listening(self, credentials: Any = None) -> Iterator[str]:
        """Give the address while it listens, under TLS where there are credentials."""
        server = grpc.server(ThreadPoolExecutor(4))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, server)
        anywhere = "127.0.0.1:0"
        encrypted = credentials is not None
        port = server.add_secure_port(anywhere, credentials) if encrypted else server.add_insecure_port(anywhere)
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None)
