"""Names that a person reads in Netron or in a profile: where in the model a node comes from, and what it does."""

import ast
import collections
from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

SCOPES_KEY = "pkg.torch.onnx.name_scopes"
"""Of the metadata that PyTorch's exporter writes: modules from the outermost to the operator, as a Python list."""

_HIDDEN = {"model", "network", "tables", "inputs", "layers"}
_SHORT = 6
"""So many numbers at most are a constant's name."""


def readable(model: onnx.ModelProto, labels: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Rename all but the inputs and outputs, in place, and drop what the exporter says of its own source files.

    Nodes become `module/operator`, their results likewise, and weights `module/weight`.

    Args:
        model: as PyTorch's exporter writes it.
        labels: parts of paths, such as `dim_16`, and what to call them instead.
    """
    graph = model.graph
    names = _Names(labels or {}, {value.name for value in (*graph.input, *graph.output)})
    for node, scope in zip(graph.node, list(_scopes(graph)), strict=True):
        node.name = names.unique(f"{names.path(scope)}/{node.op_type.lower()}")
        for index, result in enumerate(node.output):
            if result:
                names.rename(result, node.name if index == 0 else f"{node.name}/{index}")
    _name_weights(graph, names)
    for node in graph.node:
        node.input[:] = [names.of(name) for name in node.input]
        node.output[:] = [names.of(name) for name in node.output]
        del node.metadata_props[:]
        node.doc_string = ""
    for entry in (*graph.initializer, *graph.value_info):
        entry.name = names.of(entry.name)
        del entry.metadata_props[:]
    return model


class _Names:
    """Old names of values to new ones; no two get the same."""

    def __init__(self, labels: Mapping[str, str], kept: set[str]) -> None:
        self._labels, self._kept, self._new = labels, kept, dict[str, str]()
        self._counts = collections.Counter[str](kept)

    def unique(self, name: str) -> str:
        self._counts[name] += 1
        return name if self._counts[name] == 1 else self.unique(f"{name}_{self._counts[name] - 1}")

    def rename(self, old: str, new: str) -> None:
        if old not in self._kept:
            self._new[old] = new

    def of(self, name: str) -> str:
        return self._new.get(name, name)

    def path(self, scope: str) -> str:
        """Make of `model.inputs.0.embeddings.tables.dim_16` the path `embedding/dim_16`."""
        parts: list[str] = []
        for part in scope.split("."):
            if part.isdigit() and parts:
                parts[-1] = "" if (parts[-1], part) == ("inputs", "0") else f"{parts[-1].removesuffix('s')}_{part}"
            else:
                parts.append(self._labels.get(part, "embedding" if part == "embeddings" else part))
        return "/".join(part for part in parts if part and part not in _HIDDEN) or "answers"


def _scopes(graph: onnx.GraphProto) -> Iterator[str]:
    """Give the module of each node; one that the exporter added takes that of the node before."""
    last = ""
    for node in graph.node:
        found = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES_KEY)
        modules = [] if found is None else [str(scope) for scope in ast.literal_eval(found)]
        # The first is the wrapper, the last the operator; what guards shapes comes from no module.
        if modules and not modules[0]:
            last = modules[-2] if len(modules) > 1 else ""
        yield last


def _name_weights(graph: onnx.GraphProto, names: _Names) -> None:
    users: dict[str, list[onnx.NodeProto]] = collections.defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    for entry in graph.initializer:
        first = users[entry.name][0] if users[entry.name] else None
        if "." in entry.name:  # a parameter or buffer, by its path
            scope, _, own = entry.name.rpartition(".")
            name = f"{names.path(scope)}/{own}"
        elif first is not None and first.op_type in ("MatMul", "Gemm", "PRelu"):
            name = f"{first.name.rpartition('/')[0]}/weight"
        else:
            name = _constant_name(entry)
        names.rename(entry.name, names.unique(name))


def _constant_name(entry: onnx.TensorProto) -> str:
    values = numpy_helper.to_array(entry).reshape(-1) if np.prod(entry.dims, dtype=np.int64) <= _SHORT else None
    shown = "values" if values is None or len(values) == 0 else "_".join(f"{value:g}" for value in values)
    return f"constant/{shown}"
