"""Smaller numbers: embedding tables and layers in 16 or 8 bits, by changing an exported graph."""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from polyrank.errors import ExportError, MissingExtraError

from .graphs import Graph, location_of, without_large
from .tables import replace, tables_of

LARGEST_INT8 = 127
LARGEST_FP16 = 65504.0
SCALE_RANGE = 1e4
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
    """Hold embedding tables in 8 bits, with a scale for each row, which lies in the row: a lookup is one miss.

    See `quantized`. Vectors are made of rows by `DequantizeLinear`, whose scale here is no constant but one number for
    each vector: it reads bytes and writes floats in one pass.
    """
    graph = graph.copy()
    shapes = {value.name: _dims(value) for value in graph.model.graph.value_info}
    for table in tables_of(graph):
        if any(0 in shapes.get(node.output[0], [0, 0])[1:] for node in table.lookups):
            continue  # how many are looked up at once is not known, as in graphs of other origin
        found, name = quantized(graph.array(table.entry)), table.entry.name
        weights = [
            graph.tensor(f"{name}/int8", found.rows),
            graph.tensor(f"{name}/widths", np.array([found.rows.shape[1] - 1, 1], np.int64)),
            graph.tensor(f"{name}/slope", found.slope),
            graph.tensor(f"{name}/shift", found.shift),
            graph.tensor(f"{name}/flat", np.array([-1], np.int64)),
        ]
        weights += [
            graph.tensor(f"{node.name}/shape", np.array([-1, *shapes[node.output[0]][1:]], np.int64))
            for node in table.lookups
        ]
        replace(graph, table, weights, lambda node, name=name: _scaled_lookup(node, name))  # type: ignore[misc]
    return graph


class QuantizedRows(NamedTuple):
    """Rows of 8 bits: int8 [R, D + 1], of which the last column says the scale, with two float32 scalars."""

    rows: NDArray[np.int8]
    slope: NDArray[np.float32]
    shift: NDArray[np.float32]

    @property
    def scales(self) -> NDArray[np.float32]:
        """Return what each row is multiplied by, [R, 1]."""
        found: NDArray[np.float32] = np.exp(self.slope * self.rows[:, -1:].astype(np.float32) + self.shift)
        return found

    def restored(self) -> NDArray[np.float32]:
        """Return the vectors [R, D]."""
        found: NDArray[np.float32] = self.rows[:, :-1].astype(np.float32) * self.scales
        return found


def quantized(values: NDArray[np.float32]) -> QuantizedRows:
    """Round rows [R, D] to 8 bits.

    Scales are one of 256 between the largest and a part of 10,000 of it, by equal factors of at most 3.7 %, and never
    below a row's own. Vectors are rounded under the scale that is stored, so that nothing is lost by its rounding.
    """
    own = np.abs(values).max(axis=1, keepdims=True, initial=0.0).astype(np.float64) / LARGEST_INT8
    largest = own.max(initial=0.0) or 1.0
    lowest = max(own[own > 0.0].min(initial=largest), largest / SCALE_RANGE)
    step = (math.log(largest) - math.log(lowest)) / 255.0
    places = np.zeros(own.shape) if step == 0.0 else np.ceil(np.log(np.maximum(own, lowest) / lowest) / step - 1e-6)
    codes = (np.clip(places, 0.0, 255.0) - 128.0).astype(np.int8)
    slope, shift = np.array(step, np.float32), np.array(math.log(lowest) + 128.0 * step, np.float32)
    found = QuantizedRows(np.empty((len(values), values.shape[1] + 1), np.int8), slope, shift)
    found.rows[:, -1:] = codes
    for start in range(0, len(values), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        scales = np.exp(slope * codes[block].astype(np.float32) + shift)
        found.rows[block, :-1] = np.clip(np.rint(values[block] / scales), -LARGEST_INT8, LARGEST_INT8)
    return found


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
    graph = graph.copy()
    for entry in _layer_weights(graph):
        if location_of(entry) is not None:  # the quantiser wants it in its place
            entry.CopyFrom(numpy_helper.from_array(graph.array(entry), entry.name))
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
    """Find the float32 weights that something is multiplied by."""
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
    places, row, vector, column, code, wide, slope, shift, scale, flat = (
        f"{node.name}/{part}"
        for part in ("places", "int8", "vector", "column", "code", "cast", "slope", "shift", "scale", "flat")
    )
    return [
        helper.make_node("Reshape", [node.input[1], f"{table}/flat"], [places], name=places),
        helper.make_node("Gather", [f"{table}/int8", places], [row], name=row, axis=0),  # (N, D + 1)
        helper.make_node("Split", [row, f"{table}/widths"], [vector, column], name=f"{node.name}/split", axis=1),
        helper.make_node("Reshape", [column, f"{table}/flat"], [code], name=code),  # (N,)
        _cast(code, wide, wide),
        helper.make_node("Mul", [wide, f"{table}/slope"], [slope], name=slope),
        helper.make_node("Add", [slope, f"{table}/shift"], [shift], name=shift),
        helper.make_node("Exp", [shift], [scale], name=scale),
        helper.make_node("DequantizeLinear", [vector, scale], [flat], name=flat, axis=0),  # (N, D)
        helper.make_node("Reshape", [flat, f"{node.name}/shape"], [node.output[0]], name=f"{node.name}/reshape"),
    ]


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    """Return the dimensions, 0 where one varies."""
    return [int(dim.dim_value) for dim in value.type.tensor_type.shape.dim]


def _cast(source: str, result: str, name: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], name=name, to=TensorProto.FLOAT)


def _refill(container: Any, messages: Sequence[Any]) -> None:
    copies = []
    for message in messages:
        copies.append(type(message)())
        copies[-1].CopyFrom(message)
    del container[:]
    container.extend(copies)
