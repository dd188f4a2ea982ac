"""config.pbtxt, derived from the ONNX graph alone, in Triton's own message definitions."""

import dataclasses
from typing import Any

import onnx

from polyrank.errors import ExportError, RepositoryError
from polyrank.signature import SIGNATURE_KEY

_TYPES = {"INT64": "TYPE_INT64", "FLOAT": "TYPE_FP32"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServingOptions:
    """How Triton runs a model.

    Attributes:
        max_batch_size: rows in a request at most; the client splits above it.
        queue_delay_us: how long Triton may hold a request back to batch it with others, in microseconds. Every
            request of a lone client pays it in full, so the default is 0.
        threads: ONNX Runtime threads of an instance; always written, since its own default takes every core.
    """

    max_batch_size: int = 4096
    queue_delay_us: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        """Check ranges."""
        for name, low in (("max_batch_size", 1), ("queue_delay_us", 0), ("threads", 1)):
            value = getattr(self, name)
            if not low <= value < 2**31:
                raise ExportError(f"{name} must be in [{low}, 2**31), got {value}")


def config_pbtxt(graph: onnx.ModelProto, name: str, options: ServingOptions) -> str:
    """Write the configuration of a model.

    Args:
        graph: with a dynamic first dimension on every input and output; external weights need not be loaded.
        name: of the model in the repository.
        options: batching and threads.

    Raises:
        ExportError: an input or output has a type that Triton's ONNX Runtime backend is not asked to serve here.
        RepositoryError: the graph carries no signature.
    """
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2 as pb

    config = pb.ModelConfig(name=name, backend="onnxruntime", max_batch_size=options.max_batch_size)
    config.dynamic_batching.max_queue_delay_microseconds = options.queue_delay_us
    config.instance_group.add(kind=pb.ModelInstanceGroup.KIND_AUTO, count=1)
    config.version_policy.latest.num_versions = 1
    for entries, values in ((config.input, graph.graph.input), (config.output, graph.graph.output)):
        for value in values:
            entries.add(name=value.name, data_type=_data_type(pb, value), dims=_dims(value))
    config.parameters["intra_op_thread_count"].string_value = str(options.threads)
    config.parameters[SIGNATURE_KEY].string_value = signature_text(graph)
    return str(text_format.MessageToString(config))


def signature_text(graph: onnx.ModelProto) -> str:
    """Return the signature that travels in the graph's metadata, as JSON text.

    Raises:
        RepositoryError: the graph carries none.
    """
    for entry in graph.metadata_props:
        if entry.key == SIGNATURE_KEY:
            return str(entry.value)
    raise RepositoryError(f"the graph has no metadata {SIGNATURE_KEY!r}; export it with: polyrank export")


def _data_type(messages: Any, value: onnx.ValueInfoProto) -> int:
    kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    if kind not in _TYPES:
        raise ExportError(f"{value.name!r} has ONNX type {kind}; INT64 or FLOAT expected")
    return int(messages.DataType.Value(_TYPES[kind]))


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    """Return the dimensions after the batch."""
    return [int(dim.dim_value) for dim in value.type.tensor_type.shape.dim[1:]]
