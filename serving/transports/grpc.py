"""gRPC, over grpcio's channels."""

import asyncio
import functools
import inspect
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from polyrank.errors import ConfigError
from polyrank.serving.addresses import Address
from polyrank.serving.calls import DTYPES, Call, Question, Reply, wire_type
from polyrank.serving.control_keys import control_headers
from polyrank.serving.failures import Failure, Kind, failure_of
from polyrank.serving.options import ClientOptions

_SERVICE = "/inference.GRPCInferenceService/"
_CHANNEL = [
    # The default of 4 MB is below what a request of 4096 rows may take.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 2**31 - 1),  # the largest that there is; of HTTP `LARGEST_BYTES`
    # A server that starts anew is found within the deadline of a call, not after minutes.
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_KINDS = {
    "DEADLINE_EXCEEDED": Kind.TIMED_OUT,
    "UNAVAILABLE": Kind.UNREACHABLE,
    "CANCELLED": Kind.BROKEN,
    "NOT_FOUND": Kind.NOT_READY,
    "RESOURCE_EXHAUSTED": Kind.BUSY,
}


class GrpcTransport:
    """A server's gRPC endpoint. Blocking, it may be shared between threads; for asyncio, between tasks."""

    def __init__(self, address: Address, options: ClientOptions, *, is_async: bool = False) -> None:
        import grpc
        from google.protobuf import json_format
        from tritonclient.grpc import service_pb2

        if options.shared_memory:
            raise ConfigError(f"shared_memory goes over HTTP, and {address.place} speaks gRPC; leave it out")
        self._grpc, self._messages, self._as_dict = grpc, service_pb2, json_format.MessageToDict
        self._usage = grpc.aio.UsageError
        self._address = address
        self._metadata = tuple((name.lower(), value) for name, value in options.headers.items())
        codes = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
        self._compression = codes.get(options.compression, grpc.Compression.Deflate)
        self._open = functools.partial(_channel, grpc.aio if is_async else grpc, grpc, address, options)
        self._is_async, self._is_closed = is_async, False
        self._channel, self._home = self._open(), self._here()
        self._methods: dict[str, Any] = {}

    async def infer(self, call: Call, timeout_s: float) -> Reply:
        """Answer one request; see `Transport`."""
        request = self._messages.ModelInferRequest(
            model_name=call.model, model_version=call.version, id=call.request_id
        )
        for name, tensor in call.tensors.items():
            datatype, shape = wire_type(tensor)
            request.inputs.add(name=name, datatype=datatype, shape=shape)
            request.raw_input_contents.append(tensor.tobytes())
        for name in call.outputs:
            request.outputs.add(name=name)
        answer = await self._call("ModelInfer", request, timeout_s, call.headers)
        try:
            tensors = {
                output.name: np.frombuffer(data, DTYPES[output.datatype]).reshape(output.shape)
                for output, data in zip(answer.outputs, answer.raw_output_contents, strict=True)
            }
        except (ValueError, KeyError) as err:
            raise Failure(Kind.BROKEN, f"the answer cannot be read: {err}") from err
        return Reply(answer.model_version, tensors)

    async def ask(self, question: Question, timeout_s: float, **values: str) -> dict[str, Any]:
        """Answer a question; see `Transport`."""
        fields = {question.fields[name]: value for name, value in values.items()}
        request = getattr(self._messages, f"{question.rpc}Request")(**fields)
        own = control_headers(self._address, dict(self._metadata)) if question.is_control else None
        answer = await self._call(question.rpc, request, timeout_s, own)
        if question.is_check:
            return {"ready": bool(answer.ready)}
        found: dict[str, Any] = self._as_dict(answer, preserving_proto_field_name=True)
        config: dict[str, Any] = found.get("config", found)  # HTTP answers the configuration itself
        return config

    async def close(self) -> None:
        """Close the channel."""
        self._is_closed = True
        if self._home != self._here():
            return  # its loop has ended, or it is the parent's
        closing = self._channel.close()
        if inspect.isawaitable(closing):
            await closing

    def _here(self) -> tuple[int, object]:
        """Return what a channel belongs to: a process, and of asyncio a loop."""
        return os.getpid(), asyncio.get_running_loop() if self._is_async else None

    def _method(self, name: str) -> Any:
        if self._home != (here := self._here()) and not self._is_closed:
            self._channel, self._home = self._open(), here
            self._methods = {}
        if name not in self._methods:
            self._methods[name] = self._channel.unary_unary(
                f"{_SERVICE}{name}",
                request_serializer=getattr(self._messages, f"{name}Request").SerializeToString,
                response_deserializer=getattr(self._messages, f"{name}Response").FromString,
            )
        return self._methods[name]

    async def _call(self, name: str, request: Any, timeout_s: float, headers: Mapping[str, str] | None = None) -> Any:
        metadata = (*self._metadata, *headers.items()) if headers else self._metadata
        try:
            answer = self._method(name)(request, timeout=timeout_s, metadata=metadata, compression=self._compression)
            return await answer if inspect.isawaitable(answer) else answer
        except self._grpc.RpcError as err:
            raise failure_of(_KINDS.get(err.code().name, Kind.REFUSED), err.details()) from err
        except asyncio.CancelledError as err:
            task = asyncio.current_task()
            if not self._is_closed or (task is not None and task.cancelling()):
                raise
            raise Failure(Kind.BROKEN, "the channel is closed") from err  # not the task
        except (ValueError, self._usage) as err:  # the channel is closed
            raise Failure(Kind.UNREACHABLE, str(err)) from err


def _channel(module: Any, grpc: Any, address: Address, options: ClientOptions) -> Any:
    if not address.is_encrypted:
        return module.insecure_channel(address.place, options=_CHANNEL)
    tls = options.tls
    tls.context()  # which looks at the files; gRPC would say only that it cannot connect
    credentials = grpc.ssl_channel_credentials(tls.read(tls.ca), tls.read(tls.key), tls.read(tls.certificate))
    return module.secure_channel(address.place, credentials, options=_CHANNEL)
