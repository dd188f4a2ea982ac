from typing import Any

import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper
from tritonclient.grpc import model_config_pb2 as pb

from polyrank.errors import ExportError, RepositoryError
from polyrank.export.model_config import ServingOptions, config_pbtxt, signature_text
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


def parsed(graph: onnx.ModelProto, **options: int) -> Any:
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


@pytest.mark.parametrize(
    ("option", "value", "low"),
    [
        ("max_batch_size", 0, 1),
        ("max_batch_size", 2**31, 1),
        ("queue_delay_us", -1, 0),
        ("queue_delay_us", 2**31, 0),
        ("threads", 0, 1),
        ("threads", 2**31, 1),
    ],
)
def test_option_out_of_range_is_refused(option: str, value: int, low: int) -> None:
    with pytest.raises(ExportError, match=rf"^{option} must be in \[{low}, 2\*\*31\), got {value}$"):
        ServingOptions(**{option: value})


@pytest.mark.parametrize(("option", "low"), [("max_batch_size", 1), ("queue_delay_us", 0), ("threads", 1)])
def test_option_at_its_limits_is_accepted(option: str, low: int) -> None:
    assert getattr(ServingOptions(**{option: low}), option) == low
    assert getattr(ServingOptions(**{option: 2**31 - 1}), option) == 2**31 - 1
