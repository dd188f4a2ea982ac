"""Which precision is worth it: bytes, what tasks lose, and speed in ONNX Runtime, for each choice."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from polyrank.errors import ExportError
from polyrank.models import TrainedRanker
from polyrank.models.trained import load_trained_rows, predict
from polyrank.signature import Precision

from .answers import Answers, open_session, run_session
from .exporting import sign
from .graph import build_graph
from .graphs import Graph
from .parity import difference
from .quality import MetricLoss, is_acceptable, metric_losses
from .reducing import reduced, tolerance_of
from .releases import Target

BATCH_SIZES = (1, 100, 1000)
ROUNDS = 15
ROUND_S = 0.02
SLOWER = 1.1
"""So many times as slow as with 32 bits may the recommended choice be, at each batch size."""

CHOICES = (
    Precision(),
    Precision(embeddings="fp16"),
    Precision(embeddings="int8"),
    Precision(dense="fp16"),
    Precision(dense="int8"),
    Precision(embeddings="fp16", dense="fp16"),
    Precision(embeddings="int8", dense="fp16"),
    Precision(embeddings="int8", dense="int8"),
)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A precision, and what it gives.

    Attributes:
        precision: what was done.
        size_bytes: of the files.
        losses: what each task loses on the labelled validation rows of the run.
        difference: the largest of an answer to those rows, as `Difference.difference`.
        latency_us: median of a call in microseconds, by number of rows: ONNX Runtime on one thread, of whose
            processor time it is, so that other programs do not count.
        is_accurate: whether an export would be accepted.
    """

    precision: Precision
    size_bytes: int
    losses: tuple[MetricLoss, ...]
    difference: float
    latency_us: dict[int, float]
    is_accurate: bool

    @property
    def worst(self) -> MetricLoss | None:
        """The largest loss."""
        return max(self.losses, key=lambda entry: entry.loss, default=None)


def explore(ranker: TrainedRanker, run: Path, target: Target) -> list[Choice]:
    """Try every choice; that of 32 bits comes first. Sessions take turns, so that all meet the same machine.

    Args:
        ranker: the trained ranker.
        run: its directory.
        target: what to export for.

    Raises:
        ExportError: the model cannot be exported.
        MissingExtraError: onnxruntime is not installed.
    """
    graph = build_graph(ranker, target, sign(ranker, target))
    before = predict(ranker.model, ranker.sample)
    with tempfile.TemporaryDirectory() as folder:
        graphs = enumerate(_graphs(graph, ranker, run))
        written = [(precision, _written(own, Path(folder, str(index)))) for index, (precision, own) in graphs]
        sessions = [open_session(path / "model.onnx", threads=1) for _, path in written]
        latencies = _latencies(ranker, sessions)
        return [
            _choice(ranker, precision, path, before, run_session(session, ranker.sample.named()), latency)
            for (precision, path), session, latency in zip(written, sessions, latencies, strict=True)
        ]


def recommended(choices: Sequence[Choice]) -> Choice:
    """Return the smallest that is accurate and hardly slower than 32 bits, which are the first."""
    exact = choices[0]
    fast = [
        choice
        for choice in choices
        if choice.is_accurate
        and all(choice.latency_us[size] <= SLOWER * exact.latency_us[size] for size in BATCH_SIZES)
    ]
    return min(fast, key=lambda choice: choice.size_bytes, default=exact)


def _graphs(graph: Graph, ranker: TrainedRanker, run: Path) -> Iterator[tuple[Precision, Graph]]:
    prunes = (False,) if load_trained_rows(run, ranker.model) is None else (False, True)
    seen = set()
    for choice in CHOICES:
        for prune_rows in prunes:
            try:
                own, done = reduced(graph, msgspec.structs.replace(choice, prune_rows=prune_rows), ranker, run)
            except ExportError:  # a number that does not fit
                continue
            if done not in seen:
                seen.add(done)
                yield done, own


def _written(graph: Graph, folder: Path) -> Path:
    folder.mkdir()
    graph.write(folder / "model.onnx")
    return folder


def _latencies(ranker: TrainedRanker, sessions: Sequence[Any]) -> list[dict[int, float]]:
    found: list[dict[int, float]] = [{} for _ in sessions]
    for size in BATCH_SIZES:
        rows = ranker.sample[np.arange(size) % len(ranker.sample)].named()
        times: list[list[float]] = [[] for _ in sessions]
        for _ in range(ROUNDS):
            for session, own in zip(sessions, times, strict=True):
                own.append(_call_us(session, rows))
        for latency, own in zip(found, times, strict=True):
            latency[size] = float(np.median(own))
    return found


def _call_us(session: Any, rows: dict[str, Any]) -> float:
    start, calls = time.thread_time(), 0
    while time.thread_time() - start < ROUND_S:
        session.run(None, rows)
        calls += 1
    return (time.thread_time() - start) / calls * 1e6


def _choice(
    ranker: TrainedRanker,
    precision: Precision,
    folder: Path,
    before: Answers,
    after: Answers,
    latency: dict[int, float],
) -> Choice:
    losses = metric_losses(ranker, before, after)
    largest = max(difference(after[name], values) for name, values in before.items())
    is_accurate = all(is_acceptable(entry) for entry in losses)
    return Choice(
        precision=precision,
        size_bytes=sum(file.stat().st_size for file in folder.iterdir()),
        losses=losses,
        difference=largest,
        latency_us=latency,
        is_accurate=is_accurate and largest <= tolerance_of(precision),
    )
