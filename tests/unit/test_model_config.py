from typing import Any

import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper
from tritonclient.grpc import model_config_pb2 as pb

from polyrank.errors import ExportError, RepositoryError
from polyrank.export.model_config import config_pbtxt, signature_text
from polyrank.export.serving_options import InstanceGroup, MemoryOptions, ServingOptions, TensorRt
from polyrank.signature import SIGNATURE_KEY

SIGNATURE = '{"of": "Ünï \\"quoted\\" \\\\ text"}'


def graph_of(
    kind: int = TensorProto.INT64, outputs: tuple[str, ...] = ("click", "like"), signature: str | None = SIGNATURE
) -> onnx.ModelProto:
    """Describe a graph by its inputs and outputs alone; the configuration is derived from nothing else."""
    inputs = [helper.make_tensor_value_info("ids", kind, ["batch", 26])]
    inputs.append(helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["batch", 13]))
    answers = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]) for name in outputs]
    graph = helper.make_model(helper.make_graph([], "hand", inputs, answers))
    if signature is not None:
        helper.set_model_props(graph, {"other": "entry", SIGNATURE_KEY: signature})
    return graph


def parsed(graph: onnx.ModelProto, **options: Any) -> Any:
    return text_format.Parse(config_pbtxt(graph, "ranker", ServingOptions(**options)), pb.ModelConfig())


def test_name_and_backend_are_written() -> None:
    config = parsed(graph_of())
    assert (config.name, config.backend, config.platform) == ("ranker", "onnxruntime", "")


def test_inputs_are_those_of_the_graph() -> None:
    found = [(each.name, each.data_type, list(each.dims)) for each in parsed(graph_of()).input]
    assert found == [("ids", pb.TYPE_INT64, [26]), ("dense", pb.TYPE_FP32, [13])]


def test_outputs_are_those_of_the_graph_in_order() -> None:
    found = [(each.name, each.data_type, list(each.dims)) for each in parsed(graph_of(outputs=("z", "a"))).output]
    assert found == [("z", pb.TYPE_FP32, [1]), ("a", pb.TYPE_FP32, [1])]


def test_instance_takes_a_gpu_where_there_is_one() -> None:
    (group,) = parsed(graph_of()).instance_group
    assert (group.kind, group.count) == (pb.ModelInstanceGroup.KIND_AUTO, 1)


def test_only_the_newest_version_is_served() -> None:
    assert parsed(graph_of()).version_policy.latest.num_versions == 1


def test_dynamic_batching_is_on_without_a_delay() -> None:
    config = parsed(graph_of())
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == 0


def test_options_are_written() -> None:
    config = parsed(graph_of(), max_batch_size=7, queue_delay_us=300, threads=5)
    assert config.max_batch_size == 7
    assert config.dynamic_batching.max_queue_delay_microseconds == 300
    assert config.parameters["intra_op_thread_count"].string_value == "5"


def test_threads_are_always_limited() -> None:
    assert parsed(graph_of()).parameters["intra_op_thread_count"].string_value == "2"


def test_signature_survives_the_text_format() -> None:
    assert parsed(graph_of()).parameters[SIGNATURE_KEY].string_value == SIGNATURE


def test_input_of_another_type_is_refused() -> None:
    with pytest.raises(ExportError, match=r"^'ids' has ONNX type DOUBLE; INT64 or FLOAT expected$"):
        parsed(graph_of(TensorProto.DOUBLE))


def test_graph_without_signature_is_refused() -> None:
    with pytest.raises(
        RepositoryError, match=r"^the graph has no metadata 'polyrank\.signature'; export it with: polyr"
    ):
        signature_text(graph_of(signature=None))


def test_preferred_batch_sizes_are_written_in_order() -> None:
    batching = parsed(graph_of(), preferred_batch_sizes=(256, 64, 64)).dynamic_batching
    assert list(batching.preferred_batch_size) == [64, 256]


def test_queue_without_limits_has_no_policy() -> None:
    assert not parsed(graph_of()).dynamic_batching.HasField("default_queue_policy")


def test_request_that_waits_too_long_is_rejected() -> None:
    policy = parsed(graph_of(), queue_timeout_us=50_000, queue_size=100).dynamic_batching.default_queue_policy
    assert policy.timeout_action == pb.ModelQueuePolicy.REJECT
    assert (policy.default_timeout_microseconds, policy.max_queue_size) == (50_000, 100)


def test_instance_groups_are_written_in_order() -> None:
    groups = (InstanceGroup(kind="cpu", count=2), InstanceGroup(kind="gpu", gpus=(0, 3)))
    found = [(each.kind, each.count, list(each.gpus)) for each in parsed(graph_of(), instances=groups).instance_group]
    assert found == [(pb.ModelInstanceGroup.KIND_CPU, 2, []), (pb.ModelInstanceGroup.KIND_GPU, 1, [0, 3])]


def test_ladder_of_warm_up_ends_at_the_largest_batch() -> None:
    assert [each.batch_size for each in parsed(graph_of()).model_warmup] == [1, 8, 64, 512, 4096]
    assert [each.batch_size for each in parsed(graph_of(), max_batch_size=100).model_warmup] == [1, 8, 64, 100]


def test_warm_up_reads_random_rows_of_tables() -> None:
    (warm_up,) = parsed(graph_of(), warm_up=(3,)).model_warmup
    ids, dense = warm_up.inputs["ids"], warm_up.inputs["dense"]
    assert (ids.data_type, list(ids.dims), ids.random_data, ids.zero_data) == (pb.TYPE_INT64, [26], True, False)
    assert (dense.data_type, list(dense.dims), dense.random_data, dense.zero_data) == (pb.TYPE_FP32, [13], False, True)


def test_warm_up_can_be_left_out() -> None:
    assert list(parsed(graph_of(), warm_up=()).model_warmup) == []


def test_several_newest_versions_can_be_live() -> None:
    assert parsed(graph_of(), latest_versions=3).version_policy.latest.num_versions == 3


def test_chosen_versions_can_be_live() -> None:
    policy = parsed(graph_of(), specific_versions=(7, 3)).version_policy
    assert policy.WhichOneof("policy_choice") == "specific"
    assert list(policy.specific.versions) == [3, 7]


def test_response_cache_is_off_unless_asked_for() -> None:
    assert not parsed(graph_of()).HasField("response_cache")
    assert parsed(graph_of(), response_cache=True).response_cache.enable


def test_memory_is_left_to_the_backend_unless_asked_for() -> None:
    assert set(parsed(graph_of()).parameters) == {"intra_op_thread_count", SIGNATURE_KEY}


def test_memory_options_are_those_of_the_onnxruntime_backend() -> None:
    parameters = parsed(graph_of(), memory=MemoryOptions(arena=False, pattern=False)).parameters
    assert parameters["enable_mem_arena"].string_value == "0"
    assert parameters["enable_mem_pattern"].string_value == "0"
    parameters = parsed(graph_of(), memory=MemoryOptions(shrink="cpu:0;gpu:1")).parameters
    assert parameters["memory.enable_memory_arena_shrinkage"].string_value == "cpu:0;gpu:1"


def test_tensorrt_is_an_accelerator_of_gpus() -> None:
    options = TensorRt(precision="FP16", workspace_mb=2, engine_cache="/engines", cuda_graphs=True)
    optimization = parsed(graph_of(), tensorrt=options).optimization
    (accelerator,) = optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    assert dict(accelerator.parameters) == {
        "precision_mode": "FP16",
        "max_workspace_size_bytes": "2097152",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": "/engines",
        "trt_cuda_graph_enable": "1",
    }
    assert optimization.cuda.graphs


def test_tensorrt_keeps_no_engines_unless_told_where() -> None:
    optimization = parsed(graph_of(), tensorrt=TensorRt()).optimization
    (accelerator,) = optimization.execution_accelerators.gpu_execution_accelerator
    assert set(accelerator.parameters) == {"precision_mode", "max_workspace_size_bytes"}
    assert not optimization.HasField("cuda")
