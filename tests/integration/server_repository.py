"""A small two-output model and the tools to ask a server for it, written without Polyrank's own exporter and client."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf import text_format
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tritonclient import grpc
from tritonclient.grpc import model_config_pb2

ROWS = 1_000

Answers = dict[str, NDArray[np.float32]]


def add_model(
    repository: Path,
    name: str = "ranker",
    *,
    config: Mapping[str, Any] | None = None,
    is_external: bool = False,
) -> Path:
    """Write version 1 of a model whose `click` is table[id] + dense and whose `like` is minus that.

    The table holds 0, 1, ... ROWS - 1, so that each row's answer tells its inputs; an id outside it fails on a CPU.
    """
    version = repository / name / "1"
    version.mkdir(parents=True)
    onnx.save(
        _graph(),
        version / "model.onnx",
        save_as_external_data=is_external,
        location="weights.bin" if is_external else None,
        size_threshold=0,
    )
    text = text_format.MessageToString(_config(name, config or {}))
    (repository / name / "config.pbtxt").write_text(text)
    return repository / name


def _graph() -> onnx.ModelProto:
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["B", 1])
    dense = helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["B", 1])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", 1]) for name in ("click", "like")]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["row"]),
        helper.make_node("Add", ["row", "dense"], ["click"]),
        helper.make_node("Neg", ["click"], ["like"]),
    ]
    table = numpy_helper.from_array(np.arange(ROWS, dtype=np.float32), "table")
    graph = helper.make_graph(nodes, "ranker", [ids, dense], outputs, [table])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _config(name: str, changes: Mapping[str, Any]) -> Any:
    entries = {
        "name": name,
        "backend": "onnxruntime",
        "max_batch_size": 64,
        "input": [
            {"name": "ids", "data_type": "TYPE_INT64", "dims": [1]},
            {"name": "dense", "data_type": "TYPE_FP32", "dims": [1]},
        ],
        "output": [{"name": each, "data_type": "TYPE_FP32", "dims": [1]} for each in ("click", "like")],
        "instance_group": [{"kind": "KIND_CPU", "count": 1}],
        "parameters": {"intra_op_thread_count": {"string_value": "1"}},
    }
    return model_config_pb2.ModelConfig(**(entries | dict(changes)))


def inputs(ids: NDArray[np.int64], dense: NDArray[np.float32]) -> list[Any]:
    """Return the request's inputs; both of shape (B, 1)."""
    first, second = grpc.InferInput("ids", ids.shape, "INT64"), grpc.InferInput("dense", dense.shape, "FP32")
    first.set_data_from_numpy(ids)
    second.set_data_from_numpy(dense)
    return [first, second]


def rows(first: int, count: int) -> list[Any]:
    """Return the inputs of `count` rows whose ids count up from `first`, with dense 0.5."""
    ids = np.arange(first, first + count, dtype=np.int64).reshape(-1, 1)
    return inputs(ids, np.full((count, 1), 0.5, dtype=np.float32))


def ask(url: str, request: list[Any], model: str = "ranker") -> Answers:
    """Return both outputs of one request."""
    with grpc.InferenceServerClient(url) as client:
        result = client.infer(model, request)
        return {name: result.as_numpy(name) for name in ("click", "like")}
