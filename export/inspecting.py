"""What an ONNX file of ours, or of others, is: its interface, its weights, and where its time goes."""

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from polyrank import arguments
from polyrank.errors import MissingExtraError, RepositoryError
from polyrank.reasons import first_line
from polyrank.signature import SIGNATURE_KEY, Signature

from .bundle import GOLDEN_FILE, MODEL_FILE, Bundle, files_of
from .graphs import item_bytes, load_graph
from .profiling import NodeTime, profile

PROFILED_ROWS = 100


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output: its name, type, and shape, in which text stands for what may vary."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """A weight: its name, type, shape and bytes, and whether rows of it are looked up."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    is_table: bool


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        files: bytes of each file of the model by name.
        weights: the largest first.
        operators: how many nodes there are of each kind.
        signature: None in a file of another origin.
        rows: that were profiled at once: golden ones where there are any, else random ones.
        nodes: times as ONNX Runtime measures them, the longest first.
    """

    path: str
    files: dict[str, int]
    opset: int
    ir_version: int
    producer: str
    inputs: tuple[Interface, ...]
    outputs: tuple[Interface, ...]
    weights: tuple[Weight, ...]
    operators: dict[str, int]
    signature: Signature | None
    rows: int
    nodes: tuple[NodeTime, ...]


def inspect(path: str | Path, *, rows: int = PROFILED_ROWS) -> Inspection:
    """Inspect an ONNX file, or the one in a bundle or a version of a repository.

    Args:
        path: the file or its folder.
        rows: to profile at once.

    Raises:
        ConfigError: `path` is none.
        RepositoryError: there is none, it is damaged, or ONNX Runtime does not run it.
    """
    file = _model_file(arguments.path("path", path))
    model = load_graph(file, "name another file")
    inputs = _rows(file, model, rows)
    try:
        nodes = profile(file, inputs)
    except MissingExtraError:
        raise
    except Exception as err:  # onnxruntime's errors have no base of their own
        raise RepositoryError(f"{file} does not run: {first_line(err)}") from err
    return Inspection(
        path=str(file),
        files={each.name: each.stat().st_size for each in files_of(file)},
        opset=next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0),
        ir_version=model.ir_version,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=tuple(_interface(value) for value in _real_inputs(model)),
        outputs=tuple(_interface(value) for value in model.graph.output),
        weights=_weights(model),
        operators=_operators(model),
        signature=_signature(model),
        rows=rows,
        nodes=nodes,
    )


def _model_file(path: Path) -> Path:
    file = path / MODEL_FILE if path.is_dir() else path
    if not file.is_file():
        raise RepositoryError(f"{file} does not exist; name an ONNX file, a bundle, or a version of a model repository")
    return file


def _signature(model: onnx.ModelProto) -> Signature | None:
    texts = [entry.value for entry in model.metadata_props if entry.key == SIGNATURE_KEY]
    return Signature.from_json(texts[0]) if texts else None


def _real_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    weights = {entry.name for entry in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _interface(value: onnx.ValueInfoProto) -> Interface:
    kind = value.type.tensor_type
    shape = tuple(dim.dim_param or int(dim.dim_value) for dim in kind.shape.dim)
    return Interface(name=value.name, dtype=_dtype(kind.elem_type), shape=shape)


def _weights(model: onnx.ModelProto) -> tuple[Weight, ...]:
    looked_up = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    found = [
        Weight(
            name=entry.name,
            dtype=_dtype(entry.data_type),
            shape=tuple(entry.dims),
            size_bytes=math.prod(entry.dims) * item_bytes(entry),
            is_table=entry.name in looked_up and len(entry.dims) == 2,  # noqa: PLR2004 (rows and columns)
        )
        for entry in model.graph.initializer
    ]
    return tuple(sorted(found, key=lambda weight: -weight.size_bytes))


def _operators(model: onnx.ModelProto) -> dict[str, int]:
    names = sorted(node.op_type for node in model.graph.node)
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _dtype(elem_type: int) -> str:
    return str(helper.tensor_dtype_to_np_dtype(elem_type))


def _rows(file: Path, model: onnx.ModelProto, count: int) -> dict[str, NDArray[Any]]:
    """Return golden rows where a bundle has some, repeated as needed; else random ones."""
    if (file.parent / GOLDEN_FILE).is_file():
        bundle = Bundle.load(file.parent)
        is_over_rows = bundle.signature.request is None
        return {
            name: values[np.arange(count) % len(values)] if is_over_rows or name.startswith("item_") else values
            for name, values in bundle.golden().inputs.items()
        }
    rng = np.random.default_rng(0)
    found: dict[str, NDArray[Any]] = {}
    for value in _real_inputs(model):
        dims = value.type.tensor_type.shape.dim
        # The first that varies is the number of rows; of others nothing is known.
        shape = [int(dim.dim_value) if dim.HasField("dim_value") else count for dim in dims]
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if np.issubdtype(dtype, np.integer):
            found[value.name] = rng.integers(0, np.iinfo(dtype).max, shape, dtype)
        else:
            found[value.name] = rng.normal(size=shape).astype(dtype)
    return found
