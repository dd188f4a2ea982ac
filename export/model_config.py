"""config.pbtxt, derived from the ONNX graph alone, in Triton's own message definitions."""

from typing import Any

import onnx

from polyrank.errors import ExportError, RepositoryError
from polyrank.signature import SIGNATURE_KEY

from .serving_options import ServingOptions, TensorRt

_TYPES = {"INT64": "TYPE_INT64", "FLOAT": "TYPE_FP32"}


def config_pbtxt(graph: onnx.ModelProto, name: str, options: ServingOptions) -> str:
    """Write the configuration of a model.

    Args:
        graph: its requests are put together where the first dimension of every input varies, as that of rows does; one
            of a graph over requests is a batch of its own. External weights need not be loaded.
        name: of the model in the repository.
        options: batching, devices, memory and what else is the server's.

    Raises:
        ExportError: an input or output has a type that Triton's ONNX Runtime backend is not asked to serve here.
        RepositoryError: the graph carries no signature.
    """
    return config_text(model_config(graph, name, options))


def config_text(config: Any) -> str:
    """Write the message of a configuration as the text of a config.pbtxt."""
    from google.protobuf import text_format

    return str(text_format.MessageToString(config))


def model_config(graph: onnx.ModelProto, name: str, options: ServingOptions) -> Any:
    """Make the message of a configuration; see `config_pbtxt`."""
    from tritonclient.grpc import model_config_pb2 as pb

    config = pb.ModelConfig(name=name, backend="onnxruntime")
    is_batched = all(value.type.tensor_type.shape.dim[0].dim_param for value in graph.graph.input)
    if is_batched:
        config.max_batch_size = options.max_batch_size
        _add_batching(config.dynamic_batching, options)
    for group in options.instances:
        kind = pb.ModelInstanceGroup.Kind.Value(f"KIND_{group.kind.upper()}")
        config.instance_group.add(kind=kind, count=group.count, gpus=group.gpus)
    if options.specific_versions:
        config.version_policy.specific.versions.extend(sorted(set(options.specific_versions)))
    else:
        config.version_policy.latest.num_versions = options.latest_versions
    for entries, values in ((config.input, graph.graph.input), (config.output, graph.graph.output)):
        for value in values:
            entries.add(name=value.name, data_type=_data_type(pb, value), dims=_dims(value)[1 if is_batched else 0 :])
    _add_warm_up(config, options)
    if options.response_cache:
        config.response_cache.enable = True
    if options.tensorrt is not None:
        _add_tensorrt(config.optimization, options.tensorrt)
    for key, text in _parameters(options).items():
        config.parameters[key].string_value = text
    config.parameters[SIGNATURE_KEY].string_value = signature_text(graph)
    return config


def signature_text(graph: onnx.ModelProto) -> str:
    """Return the signature that travels in the graph's metadata, as JSON text.

    Raises:
        RepositoryError: the graph carries none.
    """
    for entry in graph.metadata_props:
        if entry.key == SIGNATURE_KEY:
            return str(entry.value)
    raise RepositoryError(f"the graph has no metadata {SIGNATURE_KEY!r}; export it with: polyrank export")


def _add_batching(batching: Any, options: ServingOptions) -> None:
    batching.max_queue_delay_microseconds = options.queue_delay_us
    batching.preferred_batch_size.extend(sorted(set(options.preferred_batch_sizes)))
    if options.queue_timeout_us or options.queue_size:
        policy = batching.default_queue_policy
        policy.timeout_action = policy.REJECT
        policy.default_timeout_microseconds = options.queue_timeout_us
        policy.max_queue_size = options.queue_size


def _add_warm_up(config: Any, options: ServingOptions) -> None:
    """Ask for a batch of each size, in which ids are random, so that rows all over the tables are read.

    Numbers are zero: random bits would be subnormals and no numbers, which take another time than a request.
    """
    for size in options.warm_up_sizes:
        is_batched = config.max_batch_size > 0
        warm_up = config.model_warmup.add(name=f"{size} rows", batch_size=size if is_batched else 0, count=1)
        for each in config.input:
            entry = warm_up.inputs[each.name]
            entry.data_type = each.data_type
            entry.dims.extend(size if dim < 0 else dim for dim in each.dims)
            setattr(entry, "random_data" if each.name.endswith("ids") else "zero_data", True)


def _add_tensorrt(optimization: Any, options: TensorRt) -> None:
    accelerator = optimization.execution_accelerators.gpu_execution_accelerator.add(name="tensorrt")
    accelerator.parameters["precision_mode"] = options.precision
    accelerator.parameters["max_workspace_size_bytes"] = str(options.workspace_mb * 2**20)
    if options.engine_cache is not None:
        accelerator.parameters["trt_engine_cache_enable"] = "1"
        accelerator.parameters["trt_engine_cache_path"] = options.engine_cache
    if options.cuda_graphs:
        # The ONNX Runtime backend reads the accelerator's parameter alone; the entry of the config is Triton's own.
        accelerator.parameters["trt_cuda_graph_enable"] = "1"
        optimization.cuda.graphs = True


def _parameters(options: ServingOptions) -> dict[str, str]:
    """Name options as the ONNX Runtime backend does; what is as its default is left out."""
    memory = options.memory
    found = {"intra_op_thread_count": str(options.threads)}
    if not memory.arena:
        found["enable_mem_arena"] = "0"
    if not memory.pattern:
        found["enable_mem_pattern"] = "0"
    if memory.shrink is not None:
        found["memory.enable_memory_arena_shrinkage"] = memory.shrink
    return found


def _data_type(messages: Any, value: onnx.ValueInfoProto) -> int:
    kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    if kind not in _TYPES:
        raise ExportError(f"{value.name!r} has ONNX type {kind}; INT64 or FLOAT expected")
    return int(messages.DataType.Value(_TYPES[kind]))


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    """Return the dimensions, -1 where one varies."""
    return [-1 if dim.dim_param else int(dim.dim_value) for dim in value.type.tensor_type.shape.dim]
