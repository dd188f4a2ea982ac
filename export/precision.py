"""Smaller numbers: embedding tables and layers in 16 or 8 bits, by changing an exported graph."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from polyrank.errors import ExportError, MissingExtraError

from .graphs import Graph, location_of, without_large
from .tables import replace, tables_of

LARGEST_INT8 = 127
LARGEST_FP16 = 65504.0
_BLOCK_ROWS = 2**18
_MULTIPLIES = ("MatMul", "Gemm")


def embeddings_fp16(graph: Graph) -> Graph:
    """Hold embedding tables in 16 bits; vectors are 32 bits again before anything is done with them.

    Raises:
        ExportError: a number is beyond float16.
    """
    graph = graph.copy()
    for table in tables_of(graph):
        values = graph.array(table.entry)
        if not np.abs(values).max(initial=0.0) <= LARGEST_FP16:
            raise ExportError(f"{table.entry.name} has numbers beyond {LARGEST_FP16:,.0f}; choose embeddings int8")
        half = graph.tensor(f"{table.entry.name}/fp16", values.astype(np.float16))
        replace(graph, table, [half], lambda node, half=half: _cast_lookup(node, half.name))  # type: ignore[misc]
    return graph


def embeddings_int8(graph: Graph) -> Graph:
    """Hold embedding tables in 8 bits, with a scale for each row: `vector = scale * int8`.

    Scales are 16 bits, and what is divided by is the rounded scale, so that nothing is lost by its rounding; they are
    32 bits in tables with numbers beyond what that holds.
    """
    graph = graph.copy()
    for table in tables_of(graph):
        rows, scales = quantized(graph.array(table.entry))
        name = table.entry.name
        weights = [graph.tensor(f"{name}/int8", rows), graph.tensor(f"{name}/scale", scales)]
        replace(graph, table, weights, lambda node, name=name: _scaled_lookup(node, name))  # type: ignore[misc]
    return graph


def quantized(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float16] | NDArray[np.float32]]:
    """Round rows [R, D] to int8 [R, D] and scales [R, 1], float16 where they fit."""
    largest = np.abs(values).max(axis=1, keepdims=True) / LARGEST_INT8
    scales: NDArray[Any] = largest
    if largest.max(initial=0.0) < LARGEST_FP16:
        scales = largest.astype(np.float16)
        scales = np.where(scales < largest, np.nextafter(scales, np.float16(np.inf)), scales)
    rows = np.empty(values.shape, np.int8)
    for start in range(0, len(values), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        divisor = np.where(scales[block] > 0, scales[block], 1).astype(np.float32)
        rows[block] = np.clip(np.rint(values[block] / divisor), -LARGEST_INT8, LARGEST_INT8)
    return rows, scales


def dense_fp16(graph: Graph) -> Graph:
    """Hold the weights of layers in 16 bits; ONNX Runtime makes them 32 bits once, when it loads the graph."""
    graph = graph.copy()
    proto = graph.model.graph
    casts, halves = [], []
    for entry in _layer_weights(graph):
        values = graph.array(entry)
        if np.abs(values).max(initial=0.0) <= LARGEST_FP16:
            halves.append((entry.name, graph.tensor(f"{entry.name}/fp16", values.astype(np.float16))))
    for name, half in halves:
        casts.append(_cast(half.name, name, f"{name}/cast"))
    kept = [entry for entry in proto.initializer if entry.name not in {name for name, _ in halves}]
    _refill(proto.initializer, [*kept, *(half for _, half in halves)])
    _refill(proto.node, [*casts, *proto.node])
    return graph


def dense_int8(graph: Graph) -> Graph:
    """Multiply in 8 bits, with inputs quantised as they come: ONNX Runtime's dynamic quantisation, for CPUs.

    Weights take 7 of the bits: pairs of products of 8 saturate on processors without VNNI, where answers of a small
    ranker moved by 0.5 in place of 0.03.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        from onnxruntime.quantization import quantize_dynamic
    except ImportError as err:
        raise MissingExtraError("dense int8 needs onnxruntime; pip install 'polyrank[export,cpu]'") from err
    large = [entry for entry in graph.model.graph.initializer if location_of(entry) is not None]
    with without_large(graph.model) as bare, tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "model.onnx")
        # Says that constants are folded already; without it the quantiser logs that they should be.
        bare.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
        quantize_dynamic(bare, target, op_types_to_quantize=list(_MULTIPLIES), per_channel=True, reduce_range=True)
        found = onnx.load(target)
    names = {entry.name for entry in large}
    _refill(found.graph.input, [value for value in found.graph.input if value.name not in names])
    found.graph.initializer.extend(large)
    _refill(found.metadata_props, graph.model.metadata_props)
    found.producer_name, found.producer_version = graph.model.producer_name, graph.model.producer_version
    found.ir_version = graph.model.ir_version
    used = {node.domain for node in found.graph.node}
    _refill(found.opset_import, [entry for entry in found.opset_import if entry.domain in used | {"", "ai.onnx"}])
    return Graph(found, dict(graph.kept))


def _layer_weights(graph: Graph) -> list[onnx.TensorProto]:
    """Find the float32 weights of two or more dimensions that something is multiplied by."""
    multiplied = {name for node in graph.model.graph.node if node.op_type in _MULTIPLIES for name in node.input[:2]}
    return [
        entry
        for entry in graph.model.graph.initializer
        if entry.name in multiplied and entry.data_type == TensorProto.FLOAT
    ]


def _cast_lookup(node: onnx.NodeProto, table: str) -> list[onnx.NodeProto]:
    looked_up = f"{node.name}/fp16"
    return [
        helper.make_node("Gather", [table, node.input[1]], [looked_up], name=looked_up, axis=0),
        _cast(looked_up, node.output[0], f"{node.name}/cast"),
    ]


def _scaled_lookup(node: onnx.NodeProto, table: str) -> list[onnx.NodeProto]:
    parts = [f"{node.name}/{part}" for part in ("int8", "int8/cast", "scale", "scale/cast")]
    return [
        helper.make_node("Gather", [f"{table}/int8", node.input[1]], [parts[0]], name=parts[0], axis=0),
        _cast(parts[0], parts[1], parts[1]),
        helper.make_node("Gather", [f"{table}/scale", node.input[1]], [parts[2]], name=parts[2], axis=0),
        _cast(parts[2], parts[3], parts[3]),
        helper.make_node("Mul", [parts[1], parts[3]], [node.output[0]], name=f"{node.name}/mul"),
    ]


def _cast(source: str, result: str, name: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], name=name, to=TensorProto.FLOAT)


def _refill(container: Any, messages: Sequence[Any]) -> None:
    copies = []
    for message in messages:
        copies.append(type(message)())
        copies[-1].CopyFrom(message)
    del container[:]
    container.extend(copies)
