"""A trained ranker to one ONNX graph: fingerprints in, named outputs of each task out."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from polyrank.encoder import Batch
from polyrank.errors import ExportError, MissingExtraError
from polyrank.models import MultiTaskRanker
from polyrank.models.answering_module import AnsweringModule
from polyrank.models.embedding import FusedTable
from polyrank.models.inference import for_inference
from polyrank.reasons import first_line
from polyrank.signature import SIGNATURE_KEY, Signature

from .graphs import LARGE_BYTES, Graph, without_large
from .naming import readable
from .releases import Target
from .subject import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = "batch"
"""Name of the dynamic dimension."""

EXAMPLE_ROWS = 3
"""At least 2: an example of one row would freeze the batch dimension to 1."""


def build_graph(ranker: Subject, target: Target, signature: Signature) -> Graph:
    """Export to ONNX and prove that the result is what the target loads.

    Raises:
        ExportError: the exporter fails, or its graph has other inputs, outputs, opset or format than promised.
        MissingExtraError: onnxscript is not installed.
    """
    names = list(signature.outputs)
    example = example_rows(ranker).named()
    model = for_inference(ranker.model) if isinstance(ranker.model, MultiTaskRanker) else ranker.model
    module = _Answers(model, tuple(example))
    graph = trace(module, example, names, target, dynamic=dict.fromkeys(example, BATCH))
    attach_signature(graph.model, signature)
    check_graph(graph.model, target, list(example), names)
    return graph


def trace(
    module: nn.Module,
    example: "Mapping[str, NDArray[np.generic]]",
    outputs: Sequence[str],
    target: Target,
    *,
    dynamic: Mapping[str, str],
) -> Graph:
    """Export a module to ONNX.

    Args:
        module: takes the tensors of `example` by position, and returns as many as `outputs` names.
        example: inputs by name.
        outputs: names.
        target: decides opset and format.
        dynamic: what the first dimension of inputs is called, of those where it varies.

    Raises:
        ExportError: the exporter fails.
        MissingExtraError: onnxscript is not installed.
    """
    dims = {name: torch.export.Dim(name) for name in set(dynamic.values())}
    shapes = tuple({0: dims[dynamic[name]]} if name in dynamic else {} for name in example)
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                tuple(torch.from_numpy(value) for value in example.values()),
                input_names=list(example),
                output_names=list(outputs),
                dynamic_shapes=(shapes,),
                opset_version=target.opset,
                dynamo=True,
                custom_translation_table=_translations(),
                external_data=False,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as err:
        raise ExportError(f"PyTorch cannot export the model: {first_line(err)}") from err
    except ImportError as err:
        raise MissingExtraError("export needs onnxscript; pip install 'polyrank[export,cpu]'") from err
    if program is None:
        raise ExportError("PyTorch exported no graph")
    graph = detached(program)
    readable(graph.model, _table_labels(module))
    graph.model.ir_version = target.ir_version
    return graph


def detached(program: torch.onnx.ONNXProgram) -> Graph:
    """Take an exported program apart: large weights are the model's own memory, not copies."""
    import onnx_ir

    kept: dict[str, NDArray[Any]] = {}
    for name, value in program.model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and tensor.nbytes >= LARGE_BYTES:
            location = f"initial/{len(kept)}"
            kept[location] = tensor.numpy()
            value.const_value = onnx_ir.ExternalTensor(
                location, None, None, tensor.dtype, shape=onnx_ir.Shape(tensor.numpy().shape), name=name
            )
    return Graph(onnx_ir.to_proto(program.model), kept)


def attach_signature(model: onnx.ModelProto, signature: Signature) -> None:
    """Write the signature into the metadata, in place of one that is there."""
    others = [entry for entry in model.metadata_props if entry.key != SIGNATURE_KEY]
    own = onnx.StringStringEntryProto(key=SIGNATURE_KEY, value=signature.to_json())
    del model.metadata_props[:]
    model.metadata_props.extend([*others, own])


def check_graph(
    graph: onnx.ModelProto, target: Target, inputs: list[str], outputs: list[str], *, fixed: Collection[str] = ()
) -> None:
    """Refuse a graph that a server would reject or answer wrongly.

    Args:
        graph: as it was exported.
        target: what it was exported for.
        inputs: names, in their order.
        outputs: the same.
        fixed: those whose first dimension does not vary.

    Raises:
        ExportError: names, batch dimension, opset or format are not as promised.
    """
    with without_large(graph) as bare:
        onnx.checker.check_model(bare)
    opset = next(entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx"))
    if (opset, graph.ir_version) != (target.opset, target.ir_version):
        raise ExportError(
            f"the graph has opset {opset} and IR version {graph.ir_version}, expected {target.opset} and "
            f"{target.ir_version}; {target.name} loads up to {target.max_opset} and "
            f"{target.max_ir_version}"
        )
    found = ([value.name for value in graph.graph.input], [value.name for value in graph.graph.output])
    if found != (inputs, outputs):
        raise ExportError(f"the graph has inputs and outputs {found}, expected {(inputs, outputs)}")
    for value in (*graph.graph.input, *graph.graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.name not in fixed and not (dims and dims[0].dim_param):
            shown = f"fixed to {dims[0].dim_value}" if dims else "missing"
            raise ExportError(f"the batch dimension of {value.name!r} is {shown}")


class _Answers(nn.Module):
    """The ranker with positional inputs and outputs, as the exporter wants them."""

    def __init__(self, model: AnsweringModule, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Answer rows: tensors named by `inputs`, (B, ·) each, to one (B, columns) per output."""
        by_name = dict(zip(self.inputs, tensors, strict=True))
        found = self.model.outputs(by_name.get("ids"), by_name.get("dense"), by_name.get("weights"))
        return tuple(found.values())


def example_rows(ranker: Subject) -> Batch:
    """Take rows to trace with, repeating the sample when it is shorter."""
    return ranker.sample[np.arange(EXAMPLE_ROWS) % len(ranker.sample)]


def _table_labels(model: nn.Module) -> dict[str, str]:
    """Call a table of one feature after it, and one of several by their width."""
    tables = (module for module in model.modules() if isinstance(module, FusedTable))
    owners = {f"dim_{table.weight.shape[1]}": [slots.feature.table for slots in table.layout] for table in tables}
    return {name: features[0] for name, features in owners.items() if len(set(features)) == 1}


def _translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Translate what the exporter does with less care.

    It makes of `logsigmoid` the logarithm of a sigmoid, which is minus infinity for logits below -88.
    """
    from onnxscript import opset18 as op

    def log_sigmoid(logits: Any) -> Any:
        return op.Neg(op.Softplus(op.Neg(logits)))

    return {torch.ops.aten.log_sigmoid.default: log_sigmoid}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hush the exporter's chatter about libraries we do not use; its errors still come through."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
