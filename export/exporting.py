"""A trained ranker to a bundle, which appears whole or not at all."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

import polyrank
from polyrank.arguments import instance, path, text
from polyrank.card import CARD_FILE
from polyrank.encoder import dense_layout
from polyrank.errors import ParityError
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.run_record import RUN_FILE, RunRecord
from polyrank.signature import Precision, Request, Signature, slots_of, weights_of
from polyrank.staging import refuse_existing, staged_directory

from .answers import Answers
from .bundle import (
    DIGEST_PREFIX,
    GOLDEN_FILE,
    GOLDEN_ROWS,
    MODEL_FILE,
    OUTPUT_PREFIX,
    PARITY_FILE,
    REQUEST_FOLDER,
    SIGNATURE_FILE,
    Bundle,
    digest_of,
    files_of,
)
from .carding import card_of
from .environments import python_with
from .graph import attach_signature, build_graph
from .graphs import Graph
from .parity import Expectation, Parity, expectations
from .probes import sample_rows
from .proving import Proof
from .reducing import reduced
from .releases import Target, resolve_target
from .request_graph import RequestOptions, build_request_graph, request_of
from .request_parity import expected_request, request_expectations
from .room import require_room
from .subject import Subject


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What a bundle is for, and how it is proven.

    Attributes:
        triton: Triton release that will serve it, which decides opset and file format; the newest when neither it nor
            `onnxruntime` is named.
        onnxruntime: version that will load it, such as 1.24, in place of a release.
        verified_with: version of ONNX Runtime that the graph must answer alike in too; pip installs it in an
            environment of its own.
        precision: how exactly weights are held.
        requests: of the second graph, over one user and many items, which a schema with features of both has; None
            exports none.
    """

    triton: str | None = None
    onnxruntime: str | None = None
    verified_with: str | None = None
    precision: Precision = dataclasses.field(default_factory=Precision)
    requests: RequestOptions | None = dataclasses.field(default_factory=RequestOptions)

    def __post_init__(self) -> None:
        """Check types."""
        for name in ("triton", "onnxruntime", "verified_with"):
            if getattr(self, name) is not None:
                text(name, getattr(self, name))
        instance("precision", self.precision, Precision, "Precision(...)")
        instance("requests", self.requests, RequestOptions | None, "RequestOptions(...)")


def export_onnx(
    run: str | Path, *, out: str | Path, triton: str | None = None, options: ExportOptions | None = None
) -> Bundle:
    """Export a run to a bundle, which appears whole or not at all.

    Args:
        run: a run directory.
        out: the bundle directory to make; must not exist or be empty.
        triton: Triton release that will serve it; short for an option.
        options: target, verification and precision; None takes the newest release and 32 bits.

    Raises:
        ConfigError: an argument is of a wrong type.
        ExportError: target or version are unknown, or the model cannot be exported.
        ParityError: a graph answers unlike the model; the evidence is in `<out>.failed/parity.json`.
        DataError: `run` is no run directory.
        OutputError: `out` exists or cannot be written.
    """
    options, out, run = ExportOptions() if options is None else options, path("out", out), path("run", run)
    instance("options", options, ExportOptions, "ExportOptions(...)")
    options = options if triton is None else dataclasses.replace(options, triton=triton)
    target = resolve_target(options.triton, options.onnxruntime)
    refuse_existing(out)
    if options.verified_with is not None:
        python_with(options.verified_with)
    ranker = TrainedRanker.load(run)
    origin = Origin(RunRecord.of(run, ranker.run_id), run)
    request = None if options.requests is None else request_of(ranker.schema, options.requests)
    require_room(ranker.model, out, graphs=1 if request is None else 2)
    with staged_directory(out) as stage:
        signature = write_bundle(stage, out, over_rows(ranker, target), options, origin)
        if request is not None:
            write_bundle(stage / REQUEST_FOLDER, out, _over_requests(ranker, target, request), options, origin)
    return Bundle(out, signature)


class Origin(NamedTuple):
    """Where a model came from: what its bundle tells of it, and its run directory if it has one."""

    record: RunRecord
    run: Path | None = None


class Traced(NamedTuple):
    """A graph of a ranker, and what proves it: what it must answer, now and wherever it goes."""

    ranker: Subject
    signature: Signature
    graph: Graph
    expected: list[Expectation]
    golden: tuple[Mapping[str, NDArray[Any]], Answers]


def over_rows(ranker: Subject, target: Target) -> Traced:
    """Make the graph over rows.

    Raises:
        ExportError: the model cannot be exported.
    """
    signature = sign(ranker, target)
    rows = sample_rows(ranker, GOLDEN_ROWS)
    golden = rows.named(), predict(ranker.model, rows, as_served=True)
    return Traced(ranker, signature, build_graph(ranker, target, signature), expectations(ranker), golden)


def _over_requests(ranker: TrainedRanker, target: Target, request: Request) -> Traced:
    signature = sign(ranker, target, request)
    rows = sample_rows(ranker, GOLDEN_ROWS)
    golden = expected_request(ranker, request, rows[:1], rows)
    graph = build_request_graph(ranker, target, signature)
    return Traced(ranker, signature, graph, request_expectations(ranker, request), golden)


def write_bundle(folder: Path, out: Path, traced: Traced, options: ExportOptions, origin: Origin) -> Signature:
    """Write a graph with its evidence, in smaller numbers where they are asked for; return its signature.

    Args:
        folder: where to.
        out: the bundle to be, beside which evidence of a refused graph is kept.
        traced: the graph.
        options: verification and precision.
        origin: of the model.

    Raises:
        ParityError: it answers unlike the model.
        ExportError: its numbers do not fit into fewer bits.
    """
    ranker, signature, graph, expected, golden = traced
    folder.mkdir(exist_ok=True)
    model = folder / MODEL_FILE
    proof = Proof(expected, model, options.verified_with, ranker if signature.request is None else None)
    with _evidence_kept(proof, out):
        proof.exact(graph)
        if options.precision != Precision():
            graph, precision = reduced(graph, options.precision, ranker, origin.run)
            if precision != Precision():  # where pruning alone was asked for and saves nothing, the exact graph stays
                signature = msgspec.structs.replace(signature, precision=precision)
                attach_signature(graph.model, signature)
                proof.reduced(graph, precision)
    (folder / SIGNATURE_FILE).write_text(signature.to_json() + "\n", encoding="utf-8")
    (folder / PARITY_FILE).write_text(proof.parity.to_json(), encoding="utf-8")
    (folder / RUN_FILE).write_text(origin.record.to_json(), encoding="utf-8")
    _write_golden(folder / GOLDEN_FILE, *golden, model)
    (folder / CARD_FILE).write_text(card_of(Bundle(folder, signature)), encoding="utf-8")
    return signature


@contextlib.contextmanager
def _evidence_kept(proof: Proof, out: Path) -> Iterator[None]:
    try:
        yield
    except ParityError as err:
        raise ParityError(f"export refused: {err}; evidence in {_keep_evidence(out, proof.parity)}") from err


def sign(ranker: Subject, target: Target, request: Request | None = None) -> Signature:
    """Describe a ranker that is exported for `target`, as a graph over rows or over requests."""
    return Signature(
        schema=ranker.schema,
        slots=slots_of(ranker.schema),
        weights=weights_of(ranker.schema),
        dense=tuple(name for columns in dense_layout(ranker.schema) for name in columns.names),
        outputs=tuple(name for task in ranker.schema.tasks for name in task.outputs)
        + (() if request is None else request.outputs),
        opset=target.opset,
        ir_version=target.ir_version,
        triton=target.triton,
        onnxruntime=target.onnxruntime,
        run_id=ranker.run_id,
        polyrank=polyrank.__version__,
        request=request,
    )


def _keep_evidence(out: Path, parity: Parity) -> Path:
    folder = out.with_name(out.name + ".failed")
    shutil.rmtree(folder, ignore_errors=True)
    with staged_directory(folder) as stage:
        (stage / PARITY_FILE).write_text(parity.to_json(), encoding="utf-8")
    return folder / PARITY_FILE


def _write_golden(path: Path, inputs: Mapping[str, NDArray[Any]], answers: Answers, model: Path) -> None:
    outputs = {OUTPUT_PREFIX + name: value for name, value in answers.items()}
    digests = {DIGEST_PREFIX + file.name: np.frombuffer(digest_of(file), np.uint8) for file in files_of(model)}
    # No allow_pickle here: numpy 1 knows no such argument and would store it as an array.
    arrays: dict[str, Any] = {**inputs, **outputs, **digests}
    np.savez(path, **arrays)
