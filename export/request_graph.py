"""A trained ranker to one ONNX graph over a request: tensors of one user, and of many items."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from polyrank.arguments import integer
from polyrank.encoder import Batch
from polyrank.errors import ExportError
from polyrank.halves import Half, halves_of
from polyrank.models import TrainedRanker
from polyrank.models.half_inputs import Rows
from polyrank.models.inference import for_inference
from polyrank.models.request import RequestRanker, scored_tasks
from polyrank.schema import Schema
from polyrank.signature import SCORE, TASK_WEIGHTS, TOP_ITEMS, TOP_SCORES, Combination, Request, Signature, side_of

from .graph import attach_signature, check_graph, example_rows, trace
from .graphs import Graph
from .releases import Target

ITEMS = "items"
"""Name of the dynamic dimension."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RequestOptions:
    """How a graph over requests ranks.

    Attributes:
        combination: `sum` of the tasks' answers times their weights, or `product` of the answers to their power.
        top_k: how many items it names besides, the best first; None names none.
    """

    combination: Combination = "sum"
    top_k: int | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.combination not in ("sum", "product"):
            raise ExportError(f"combination must be 'sum' or 'product', got {self.combination!r}")
        if self.top_k is not None:
            integer("top_k", self.top_k, range(1, 2**31), "[1, 2**31)")


def request_of(schema: Schema, options: RequestOptions) -> Request | None:
    """Describe a graph over requests; None where a half has no feature, or no task has one answer."""
    user, item = halves_of(schema)
    weighted = tuple(scored_tasks(schema))
    if user.is_empty or item.is_empty or not weighted:
        return None
    return Request(
        user=side_of(user),
        item=side_of(item),
        weighted=weighted,
        combination=options.combination,
        top_k=options.top_k,
    )


def build_request_graph(ranker: TrainedRanker, target: Target, signature: Signature) -> Graph:
    """Export to ONNX and prove that the result is what the target loads; `signature` has a `request`.

    Raises:
        ExportError: the exporter fails, or its graph has other inputs, outputs, opset or format than promised.
        MissingExtraError: onnxscript is not installed.
    """
    request = signature.request
    assert request is not None  # noqa: S101 (tells the type checker)
    rows = example_rows(ranker)
    example = request_tensors(ranker.schema, rows[:1], rows)
    fixed = [name for name in example if not name.startswith("item_")]
    names = [name for name in signature.outputs if name not in (TOP_ITEMS, TOP_SCORES)]
    module = _Answers(RequestRanker(for_inference(ranker.model), ranker.schema, request.combination), tuple(example))
    dynamic = {name: ITEMS for name in example if name not in fixed}
    graph = trace(module, example, names, target, dynamic=dynamic)
    if request.top_k is not None:
        _add_top(graph.model, request.top_k)
    attach_signature(graph.model, signature)
    check_graph(graph.model, target, list(example), list(signature.outputs), fixed=[*fixed, TOP_ITEMS, TOP_SCORES])
    return graph


def request_tensors(
    schema: Schema, user: Batch, items: Batch, weights: NDArray[np.float32] | None = None
) -> dict[str, NDArray[np.generic]]:
    """Return the tensors of a request by name, of whole encoded rows.

    Args:
        schema: resolved.
        user: a row, whose columns of the user's half are taken.
        items: rows, whose columns of the items' half are taken.
        weights: float32 [K] of the tasks; None weighs all 1.
    """
    of_user, of_item = halves_of(schema)
    tensors = {f"user_{name}": value for name, value in half_of(of_user, user).items()}
    tensors |= {f"item_{name}": value for name, value in half_of(of_item, items).items()}
    tensors[TASK_WEIGHTS] = np.ones(len(scored_tasks(schema)), np.float32) if weights is None else weights
    return tensors


def half_of(half: Half, rows: Batch) -> Mapping[str, NDArray[np.generic]]:
    """Take the columns of one half, without tensors that have none."""
    weights = None if rows.weights is None else rows.weights[:, list(half.weight_columns)]
    return Batch(rows.ids[:, list(half.id_columns)], rows.dense[:, list(half.dense_columns)], weights).named()


class _Answers(nn.Module):
    """The ranker with positional inputs and outputs, as the exporter wants them."""

    def __init__(self, ranker: RequestRanker, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.ranker = ranker
        self.inputs = inputs

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Answer a request: tensors named by `inputs` to one (N, columns) per output, and scores (N, 1)."""
        named = dict(zip(self.inputs, tensors, strict=True))
        user, item = (
            Rows(named.get(f"{half}_ids"), named.get(f"{half}_dense"), named.get(f"{half}_weights"))
            for half in ("user", "item")
        )
        outputs, score = self.ranker(user, item, named[TASK_WEIGHTS])
        return (*outputs.values(), score)


def _add_top(graph: onnx.ModelProto, count: int) -> None:
    """Add the items of the highest scores: `count` of them, or all where there are fewer."""
    graph.graph.initializer.append(helper.make_tensor("top/count", TensorProto.INT64, [1], [count]))
    graph.graph.initializer.append(helper.make_tensor("top/flat", TensorProto.INT64, [1], [-1]))
    graph.graph.node.extend(
        [
            helper.make_node("Reshape", [SCORE, "top/flat"], ["top/scores"], name="top/reshape"),
            helper.make_node("Shape", ["top/scores"], ["top/size"], name="top/shape"),
            helper.make_node("Min", ["top/size", "top/count"], ["top/k"], name="top/min"),
            helper.make_node("TopK", ["top/scores", "top/k"], [TOP_SCORES, TOP_ITEMS], name="top/topk"),
        ]
    )
    graph.graph.output.append(helper.make_tensor_value_info(TOP_ITEMS, TensorProto.INT64, ["top"]))
    graph.graph.output.append(helper.make_tensor_value_info(TOP_SCORES, TensorProto.FLOAT, ["top"]))
