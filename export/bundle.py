"""A bundle: one ONNX file with everything needed to publish and check it."""

import contextlib
import dataclasses
import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

import polyrank
from polyrank.card import CARD_FILE
from polyrank.encoder import dense_layout
from polyrank.errors import MissingExtraError, ParityError, RepositoryError
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.run_record import RUN_FILE, RunRecord
from polyrank.signature import TOP_ITEMS, TOP_SCORES, Precision, Request, Signature, slots_of, weights_of
from polyrank.staging import refuse_existing, staged_directory

from .answers import Answers, open_session, run_session
from .carding import card_of
from .environments import python_with
from .graph import attach_signature, build_graph
from .graphs import DATA_SUFFIX, Graph
from .parity import TOLERANCE, Expectation, Parity, difference, expectations
from .probes import sample_rows
from .proving import Proof
from .reducing import reduced, tolerance_of
from .releases import Target, resolve_target
from .request_graph import RequestOptions, build_request_graph, request_of
from .request_parity import expected_request, request_expectations
from .room import require_room

MODEL_FILE = "model.onnx"
DATA_FILE = MODEL_FILE + DATA_SUFFIX
SIGNATURE_FILE = "signature.json"
PARITY_FILE = "parity.json"
GOLDEN_FILE = "golden.npz"
REQUEST_FOLDER = "rank"
"""A bundle within the bundle: that of the graph over requests."""

GOLDEN_ROWS = 33
OUTPUT_PREFIX = "output/"
DIGEST_PREFIX = "sha256/"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle directory that is whole.

    Attributes:
        path: the directory.
        signature: what a client must know of the model.
    """

    path: Path
    signature: Signature

    @classmethod
    def load(cls, path: str | Path) -> "Bundle":
        """Open a bundle directory.

        Raises:
            RepositoryError: a file is missing or damaged.
        """
        path = Path(path)
        for name in (MODEL_FILE, SIGNATURE_FILE, GOLDEN_FILE):
            if not (path / name).is_file():
                raise RepositoryError(f"{path} is not a bundle: {name} is missing; make one with: polyrank export")
        try:
            return cls(path, Signature.from_json((path / SIGNATURE_FILE).read_bytes()))
        except RepositoryError as err:
            raise RepositoryError(f"{path / SIGNATURE_FILE}: {err}") from err

    @property
    def model_file(self) -> Path:
        """The ONNX file."""
        return self.path / MODEL_FILE

    @property
    def model_files(self) -> tuple[Path, ...]:
        """The ONNX file and, above 2 GB, that of its weights: both must lie in one folder, under these names."""
        return files_of(self.model_file)

    @property
    def requests(self) -> "Bundle | None":
        """The bundle of the graph over requests, if there is one.

        Raises:
            RepositoryError: a file of it is missing or damaged.
        """
        folder = self.path / REQUEST_FOLDER
        return Bundle.load(folder) if folder.is_dir() else None

    def parity(self) -> Parity:
        """Return how far the graph's answers were from the model's when it was exported.

        Raises:
            RepositoryError: the file is missing or damaged.
        """
        try:
            return Parity.from_json((self.path / PARITY_FILE).read_bytes())
        except (OSError, msgspec.DecodeError) as err:
            raise RepositoryError(f"{self.path / PARITY_FILE} cannot be read; export the run anew") from err

    def golden(self) -> "Golden":
        """Return what the trained model answered when the graph was exported.

        Raises:
            RepositoryError: the file is damaged.
        """
        try:
            with (self.path / GOLDEN_FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                stored = {name: arrays[name] for name in arrays.files}
            digests = {MODEL_FILE: stored.pop(DIGEST_PREFIX + MODEL_FILE).tobytes().hex()}
            if DIGEST_PREFIX + DATA_FILE in stored:
                digests[DATA_FILE] = stored.pop(DIGEST_PREFIX + DATA_FILE).tobytes().hex()
            names = [name for name in self.signature.outputs if name not in (TOP_ITEMS, TOP_SCORES)]
            outputs = {name: stored.pop(OUTPUT_PREFIX + name) for name in names}
        except (OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as err:
            raise RepositoryError(f"{self.path / GOLDEN_FILE} is damaged; export the run anew") from err
        return Golden(stored, outputs, digests, tolerance_of(self.signature.precision))


@dataclasses.dataclass(frozen=True)
class Golden:
    """Rows, the trained model's answers to them, and which file gave the same answers.

    Attributes:
        inputs: tensors of the wire contract by name.
        outputs: float32 [B] by output; [B, C] of one with several columns.
        digests: SHA-256 of each file of the model by name, hexadecimal. Rows reach few embeddings; digests cover all.
        tolerance: how far answers may be from those, by the precision of the graph.
    """

    inputs: dict[str, NDArray[np.generic]]
    outputs: Answers
    digests: dict[str, str]
    tolerance: float = TOLERANCE

    def differences(self, answers: Answers) -> dict[str, float]:
        """Return how far answers are from the trained model's, by task; infinite where they are missing."""
        fits = {name: name in answers and answers[name].shape == value.shape for name, value in self.outputs.items()}
        return {
            name: difference(answers[name], value) if fits[name] else np.inf for name, value in self.outputs.items()
        }


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
        ExportError: target or version are unknown, or the model cannot be exported.
        ParityError: a graph answers unlike the model; the evidence is in `<out>.failed/parity.json`.
        DataError: `run` is no run directory.
        OutputError: `out` exists or cannot be written.
    """
    options, out, run = options or ExportOptions(), Path(out), Path(run)
    options = options if triton is None else dataclasses.replace(options, triton=triton)
    target = resolve_target(options.triton, options.onnxruntime)
    refuse_existing(out)
    if options.verified_with is not None:
        python_with(options.verified_with)
    ranker = TrainedRanker.load(run)
    request = None if options.requests is None else request_of(ranker.schema, options.requests)
    require_room(ranker.model, out, graphs=1 if request is None else 2)
    with staged_directory(out) as stage:
        signature = _export(stage, out, run, _over_rows(ranker, target), options)
        if request is not None:
            _export(stage / REQUEST_FOLDER, out, run, _over_requests(ranker, target, request), options)
    return Bundle(out, signature)


class _Traced(NamedTuple):
    """A graph of a ranker, and what proves it: what it must answer, now and wherever it goes."""

    ranker: TrainedRanker
    signature: Signature
    graph: Graph
    expected: list[Expectation]
    golden: tuple[Mapping[str, NDArray[Any]], Answers]


def _over_rows(ranker: TrainedRanker, target: Target) -> _Traced:
    signature = sign(ranker, target)
    rows = sample_rows(ranker, GOLDEN_ROWS)
    golden = rows.named(), predict(ranker.model, rows, as_served=True)
    return _Traced(ranker, signature, build_graph(ranker, target, signature), expectations(ranker), golden)


def _over_requests(ranker: TrainedRanker, target: Target, request: Request) -> _Traced:
    signature = sign(ranker, target, request)
    rows = sample_rows(ranker, GOLDEN_ROWS)
    golden = expected_request(ranker, request, rows[:1], rows)
    graph = build_request_graph(ranker, target, signature)
    return _Traced(ranker, signature, graph, request_expectations(ranker, request), golden)


def _export(folder: Path, out: Path, run: Path, traced: _Traced, options: ExportOptions) -> Signature:
    """Write a graph with its evidence, in smaller numbers where they are asked for; return its signature."""
    ranker, signature, graph, expected, golden = traced
    folder.mkdir(exist_ok=True)
    model = folder / MODEL_FILE
    proof = Proof(expected, model, options.verified_with, ranker if signature.request is None else None)
    with _evidence_kept(proof, out):
        proof.exact(graph)
        if options.precision != Precision():
            graph, precision = reduced(graph, options.precision, ranker, run)
            if precision != Precision():  # where pruning alone was asked for and saves nothing, the exact graph stays
                signature = msgspec.structs.replace(signature, precision=precision)
                attach_signature(graph.model, signature)
                proof.reduced(graph, precision)
    (folder / SIGNATURE_FILE).write_text(signature.to_json() + "\n", encoding="utf-8")
    (folder / PARITY_FILE).write_text(proof.parity.to_json(), encoding="utf-8")
    (folder / RUN_FILE).write_text(RunRecord.of(run, ranker.run_id).to_json(), encoding="utf-8")
    _write_golden(folder / GOLDEN_FILE, *golden, model)
    (folder / CARD_FILE).write_text(card_of(Bundle(folder, signature)), encoding="utf-8")
    return signature


@contextlib.contextmanager
def _evidence_kept(proof: Proof, out: Path) -> Iterator[None]:
    try:
        yield
    except ParityError as err:
        raise ParityError(f"export refused: {err}; evidence in {_keep_evidence(out, proof.parity)}") from err


def sign(ranker: TrainedRanker, target: Target, request: Request | None = None) -> Signature:
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


def check_golden(bundle: Bundle, model_file: Path) -> None:
    """Load a copy of a bundle's model file and answer the golden rows with it.

    Raises:
        RepositoryError: the file does not load, answers unlike the trained model, or is not the one that was exported.
    """
    require_golden(bundle.golden(), model_file, shown=bundle.model_file)


def require_golden(golden: Golden, model_file: Path, *, shown: Path) -> None:
    """Load a model file and answer golden rows with it.

    Raises:
        RepositoryError: the file does not load, answers unlike the trained model, or is not the one that was exported;
            names `shown`.
    """
    try:
        answers = run_session(open_session(model_file), golden.inputs)
    except MissingExtraError:
        raise
    except Exception as err:  # onnxruntime's errors have no base of their own
        raise RepositoryError(f"{shown} does not load: {str(err).splitlines()[0]}") from err
    for name, gap in golden.differences(answers).items():
        if not gap <= golden.tolerance:
            raise RepositoryError(
                f"{shown} answers golden rows of task {name!r} with a difference of {gap:.1e}; "
                f"the bundle was changed: export the run anew"
            )
    for file in files_of(model_file):
        if _digest(file).hex() != golden.digests.get(file.name):
            raise RepositoryError(f"{shown.parent / file.name} was changed after its export; export the run anew")


def files_of(model_file: Path) -> tuple[Path, ...]:
    """Return an ONNX file and, if there is one, that of its weights beside it."""
    data = model_file.with_name(model_file.name + DATA_SUFFIX)
    return (model_file, data) if data.is_file() else (model_file,)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _keep_evidence(out: Path, parity: Parity) -> Path:
    folder = out.with_name(out.name + ".failed")
    shutil.rmtree(folder, ignore_errors=True)
    with staged_directory(folder) as stage:
        (stage / PARITY_FILE).write_text(parity.to_json(), encoding="utf-8")
    return folder / PARITY_FILE


def _write_golden(path: Path, inputs: Mapping[str, NDArray[Any]], answers: Answers, model: Path) -> None:
    outputs = {OUTPUT_PREFIX + name: value for name, value in answers.items()}
    digests = {DIGEST_PREFIX + file.name: np.frombuffer(_digest(file), np.uint8) for file in files_of(model)}
    # No allow_pickle here: numpy 1 knows no such argument and would store it as an array.
    arrays: dict[str, Any] = {**inputs, **outputs, **digests}
    np.savez(path, **arrays)
