"""A graph whose large weights lie beside it in memory, so that changing, copying and writing it costs little."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from polyrank.errors import RepositoryError
from polyrank.reasons import system_reason

LARGE_BYTES = 2**20
"""Weights of this size lie beside the graph."""

MAX_SIZE_BYTES = 2**31 - 2**24
"""Of weights: one protobuf message, and so one ONNX file, holds less than 2 GiB; 16 MiB are left to the graph."""

DATA_SUFFIX = ".data"
"""After the name of the ONNX file: the file beside it with weights that do not fit into one."""

_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
_KEPT = "kept"
_PAGE = 4096
_CHUNK_BYTES = 2**26


@dataclasses.dataclass(frozen=True)
class Graph:
    """A model and its large weights.

    Attributes:
        model: in which a large weight has no data, but the location of one.
        kept: the large weights by location. Arrays are shared between copies, and never written to.
    """

    model: onnx.ModelProto
    kept: dict[str, NDArray[Any]] = dataclasses.field(default_factory=dict)

    def copy(self) -> "Graph":
        """Return another graph to change; large weights are shared."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        return Graph(model, dict(self.kept))

    def array(self, entry: onnx.TensorProto) -> NDArray[Any]:
        """Return a weight; a large one without a copy."""
        location = location_of(entry)
        return numpy_helper.to_array(entry) if location is None else self.kept[location]

    def tensor(self, name: str, array: NDArray[Any]) -> onnx.TensorProto:
        """Make a weight of the graph; a large one is kept, without a copy."""
        if array.nbytes < LARGE_BYTES:
            return numpy_helper.from_array(array, name)
        location = f"{_KEPT}/{len(self.kept)}"
        self.kept[location] = array
        return outside(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, location)

    @property
    def num_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(math.prod(entry.dims) * item_bytes(entry) for entry in self.model.graph.initializer)

    def write(self, path: Path) -> None:
        """Write an ONNX file, and one of data beside it when the weights do not fit into one."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        if self.num_bytes <= MAX_SIZE_BYTES or not self.kept:
            for entry in model.graph.initializer:
                if location_of(entry) is not None:
                    entry.CopyFrom(numpy_helper.from_array(self.array(entry), entry.name))
            path.write_bytes(model.SerializeToString())
            return
        with path.with_name(path.name + DATA_SUFFIX).open("wb") as data:
            for entry in model.graph.initializer:
                if location_of(entry) is not None:
                    data.write(b"\0" * (-data.tell() % _PAGE))
                    array, offset = self.array(entry), data.tell()
                    _write(data, array)
                    entry.CopyFrom(outside(entry.name, entry.data_type, array.shape, path.name + DATA_SUFFIX))
                    entry.external_data.add(key="offset", value=str(offset))
                    entry.external_data.add(key="length", value=str(array.nbytes))
        path.write_bytes(model.SerializeToString())


def load_graph(file: Path, remedy: str) -> onnx.ModelProto:
    """Read an ONNX file, without weights that lie beside it.

    Args:
        file: the file.
        remedy: what messages end with.

    Raises:
        RepositoryError: it cannot be read, is no ONNX file, or holds no graph.
    """
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(file, format="protobuf", load_external_data=False)
    except OSError as err:
        raise RepositoryError(f"{file} cannot be read: {system_reason(err)}; {remedy}") from err
    except DecodeError as err:
        raise RepositoryError(f"{file} is damaged: not an ONNX file; {remedy}") from err
    if not model.graph.node:
        raise RepositoryError(f"{file} is damaged: it holds no graph; {remedy}")
    return model


def outside(name: str, dtype: int, shape: tuple[int, ...], location: str) -> onnx.TensorProto:
    """Make a weight whose data lie at a location."""
    entry = onnx.TensorProto(name=name, data_type=dtype, dims=shape, data_location=onnx.TensorProto.EXTERNAL)
    entry.external_data.add(key="location", value=location)
    return entry


def location_of(entry: onnx.TensorProto) -> str | None:
    """Return where the data of a weight lie, None when they are in the graph."""
    if entry.data_location != onnx.TensorProto.EXTERNAL:
        return None
    return next(str(item.value) for item in entry.external_data if item.key == "location")


def has_own_data(entry: onnx.TensorProto, file: str) -> bool:
    """Say whether the data of a tensor lie in the graph, or in a file of this name beside it."""
    places = [str(item.value) for item in entry.external_data if item.key == "location"]
    return entry.data_location != onnx.TensorProto.EXTERNAL or places == [file]


def tensors_of(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that a graph holds, in nodes and their graphs too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for attribute in (each for node in graph.node for each in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for inner in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
            yield from tensors_of(inner)


def item_bytes(entry: onnx.TensorProto) -> int:
    """Return the bytes of one number of a weight."""
    return int(helper.tensor_dtype_to_np_dtype(entry.data_type).itemsize)


@contextlib.contextmanager
def without_large(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """Yield the model with large weights as inputs, for tools that want every weight in its place."""
    large = [entry for entry in model.graph.initializer if location_of(entry) is not None]
    small = [entry for entry in model.graph.initializer if location_of(entry) is None]
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.initializer[:]
    bare.graph.initializer.extend(small)
    for entry in large:
        bare.graph.input.append(helper.make_tensor_value_info(entry.name, entry.data_type, list(entry.dims)))
    yield bare


def _write(file: Any, array: NDArray[Any]) -> None:
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for start in range(0, len(flat), _CHUNK_BYTES):
        file.write(flat[start : start + _CHUNK_BYTES])
