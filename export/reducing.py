"""An exported graph with smaller numbers, as a precision asks for it."""

from pathlib import Path

import msgspec

from polyrank.errors import ExportError
from polyrank.models import MultiTaskRanker
from polyrank.models.trained import load_trained_rows
from polyrank.signature import Precision

from .graphs import Graph
from .parity import TOLERANCE
from .precision import dense_fp16, dense_int8, embeddings_fp16, embeddings_int8
from .pruning import pruned
from .subject import Subject

ROW_BYTES = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0}
TOLERANCES = {"fp32": TOLERANCE, "fp16": 0.01, "int8": 0.1}
"""How far answers to validation rows may move at most, as `Difference.difference`; what is lost is measured apart."""

PRUNED_TOLERANCE = 0.1


def reduced(graph: Graph, precision: Precision, ranker: Subject, run: Path | None) -> tuple[Graph, Precision]:
    """Apply a precision, and say what was done: rows are only pruned where that makes the graph smaller.

    Raises:
        ExportError: a number does not fit, or the run does not say which rows training changed.
    """
    if precision.prune_rows:
        graph, precision = _pruned(graph, precision, ranker, run)
    if precision.embeddings != "fp32":
        graph = embeddings_int8(graph) if precision.embeddings == "int8" else embeddings_fp16(graph)
    if precision.dense != "fp32":
        graph = dense_int8(graph) if precision.dense == "int8" else dense_fp16(graph)
    return graph, precision


def tolerance_of(precision: Precision) -> float:
    """Return how far answers to validation rows may move: at least as far as those of an exact graph."""
    parts = (TOLERANCES[precision.embeddings], TOLERANCES[precision.dense], PRUNED_TOLERANCE * precision.prune_rows)
    return max(parts)


def _pruned(graph: Graph, precision: Precision, ranker: Subject, run: Path | None) -> tuple[Graph, Precision]:
    if run is None or not isinstance(ranker.model, MultiTaskRanker):
        raise ExportError("only a run of polyrank train says which rows training changed; leave prune_rows out")
    trained = load_trained_rows(run, ranker.model)
    if trained is None:
        raise ExportError(f"{run} does not say which rows training changed; train it anew to prune rows")
    smaller = pruned(graph, ranker.model, trained, ROW_BYTES[precision.embeddings])
    if smaller.num_bytes < graph.num_bytes:
        return smaller, precision
    return graph, msgspec.structs.replace(precision, prune_rows=False)
