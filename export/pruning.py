"""Rows of embedding tables that training never changed: they hold random numbers, and share one row instead."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from polyrank.models import MultiTaskRanker
from polyrank.models.embedding import FusedTable

from .graphs import Graph
from .tables import Table, replace, tables_of


def pruned(
    graph: Graph, model: MultiTaskRanker, trained: Mapping[str, NDArray[np.bool_]], row_bytes: float = 4.0
) -> Graph:
    """Let rows that training never changed share one, where that makes the graph smaller.

    What training left has the vectors of a small random distribution around 0: they become 0. Rows that answer as
    "missing" does, since few values fell on them, share its row.

    Args:
        graph: whose tables are those of the model, in 32 bits.
        model: the trained ranker.
        trained: rows that training changed, bool (R,) by parameter.
        row_bytes: bytes that a number of a table takes in the end.
    """
    graph = graph.copy()
    for table in tables_of(graph):
        found = _parameter(model, graph.array(table.entry))
        if found is not None and found[0] in trained:
            _prune(graph, table, shared_rows(found[1], trained[found[0]]), row_bytes)
    return graph


def shared_rows(table: FusedTable, trained: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return where each row is in a shorter table, int32 (R,), and that table, (R', D); its last row is 0."""
    weight, firsts = table.weight.detach().numpy(), table.first_rows().numpy()
    is_first = firsts == np.arange(len(firsts))
    kept = np.flatnonzero(trained | is_first)
    places = np.full(len(weight), len(kept), np.int32)
    places[kept] = np.arange(len(kept), dtype=np.int32)
    others = np.flatnonzero(~(trained | is_first))
    like_missing = others[(weight[others] == weight[firsts[others]]).all(axis=1)]
    places[like_missing] = places[firsts[like_missing]]
    return places, np.concatenate([weight[kept], np.zeros((1, weight.shape[1]), np.float32)])


def _prune(graph: Graph, table: Table, shared: tuple[NDArray[np.int32], NDArray[np.float32]], row_bytes: float) -> None:
    places, rows = shared
    saved = (len(places) - len(rows)) * rows.shape[1] * row_bytes - places.nbytes
    if saved <= 0:
        return
    name = table.entry.name
    weights = [graph.tensor(f"{name}/place", places), graph.tensor(f"{name}/trained", rows)]

    def looked_up(node: onnx.NodeProto) -> list[onnx.NodeProto]:
        place = f"{node.name}/place"
        return [
            helper.make_node("Gather", [weights[0].name, node.input[1]], [place], name=place, axis=0),
            helper.make_node("Gather", [weights[1].name, place], [node.output[0]], name=node.name, axis=0),
        ]

    replace(graph, table, weights, looked_up)


def _parameter(model: MultiTaskRanker, values: NDArray[np.float32]) -> tuple[str, FusedTable] | None:
    """Find the table that a weight of the graph is."""
    for name, module in model.named_modules():
        if isinstance(module, FusedTable):
            own = module.weight.detach().numpy()
            if own.shape == values.shape and (own is values or np.array_equal(own, values)):
                return f"{name}.weight", module
    return None
