"""Embedding tables of a graph: which weights they are, and how their lookups are replaced."""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import onnx

from .graphs import Graph

MIN_TABLE_BYTES = 2**14
"""Smaller tables stay as they are: nodes would cost more than they save."""


@dataclasses.dataclass(frozen=True)
class Table:
    """An embedding table.

    Attributes:
        entry: float32 [R, D].
        lookups: the Gather nodes that read it, and nothing else does.
    """

    entry: onnx.TensorProto
    lookups: tuple[onnx.NodeProto, ...]


Rewrite = Callable[[onnx.NodeProto], Sequence[onnx.NodeProto]]


def tables_of(graph: Graph) -> list[Table]:
    """Find the float32 matrices that are only ever looked up by row."""
    users = collections.defaultdict(list)
    for node in graph.model.graph.node:
        for place, name in enumerate(node.input):
            users[name].append((node, place))
    return [
        Table(entry, tuple(node for node, _ in users[entry.name]))
        for entry in graph.model.graph.initializer
        if entry.data_type == onnx.TensorProto.FLOAT
        and len(entry.dims) == 2  # noqa: PLR2004 (rows and columns)
        and 4 * entry.dims[0] * entry.dims[1] >= MIN_TABLE_BYTES
        and users[entry.name]
        and all(_looks_up(node, place) for node, place in users[entry.name])
    ]


def replace(graph: Graph, table: Table, weights: Sequence[onnx.TensorProto], rewrite: Rewrite) -> None:
    """Put other weights and nodes in the place of a table and its lookups."""
    proto = graph.model.graph
    names = {node.name for node in table.lookups}
    nodes = [new for node in proto.node for new in (rewrite(node) if node.name in names else [node])]
    entries = [entry for entry in proto.initializer if entry.name != table.entry.name]
    # As copies: the containers own what they hold.
    nodes, entries = [_copy(node) for node in nodes], [_copy(entry) for entry in (*entries, *weights)]
    del proto.node[:], proto.initializer[:]
    proto.node.extend(nodes)
    proto.initializer.extend(entries)


def _looks_up(node: onnx.NodeProto, place: int) -> bool:
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return bool(node.op_type == "Gather" and place == 0 and axis == 0)


def _copy(message: onnx.NodeProto | onnx.TensorProto) -> "onnx.NodeProto | onnx.TensorProto":
    found = type(message)()
    found.CopyFrom(message)
    return found
