"""A bundle: one ONNX file with everything needed to publish and check it."""

import dataclasses
import hashlib
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

import polyrank
from polyrank.encoder import dense_layout
from polyrank.errors import MissingExtraError, ParityError, RepositoryError
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.signature import TOP_ITEMS, TOP_SCORES, Request, Signature, slots_of, weights_of
from polyrank.staging import refuse_existing, staged_directory

from .environments import python_with
from .graph import build_graph
from .parity import (
    TOLERANCE,
    Answers,
    Expectation,
    Parity,
    difference,
    expectations,
    open_session,
    parity_of,
    run_session,
)
from .probes import sample_rows
from .releases import Target, resolve_target
from .request_graph import RequestOptions, build_request_graph, request_of
from .request_parity import expected_request, request_expectations
from .run_record import RUN_FILE, RunRecord
from .verification import verify_with

MODEL_FILE = "model.onnx"
SIGNATURE_FILE = "signature.json"
PARITY_FILE = "parity.json"
GOLDEN_FILE = "golden.npz"
REQUEST_FOLDER = "rank"
"""A bundle within the bundle: that of the graph over requests."""

GOLDEN_ROWS = 33
OUTPUT_PREFIX = "output/"
DIGEST_ENTRY = "sha256/model.onnx"


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
    def requests(self) -> "Bundle | None":
        """The bundle of the graph over requests, if there is one.

        Raises:
            RepositoryError: a file of it is missing or damaged.
        """
        folder = self.path / REQUEST_FOLDER
        return Bundle.load(folder) if folder.is_dir() else None

    def golden(self) -> "Golden":
        """Return what the trained model answered when the graph was exported.

        Raises:
            RepositoryError: the file is damaged.
        """
        try:
            with (self.path / GOLDEN_FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                stored = {name: arrays[name] for name in arrays.files}
            digest = stored.pop(DIGEST_ENTRY).tobytes().hex()
            names = [name for name in self.signature.outputs if name not in (TOP_ITEMS, TOP_SCORES)]
            outputs = {name: stored.pop(OUTPUT_PREFIX + name) for name in names}
        except (OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as err:
            raise RepositoryError(f"{self.path / GOLDEN_FILE} is damaged; export the run anew") from err
        return Golden(stored, outputs, digest)


@dataclasses.dataclass(frozen=True)
class Golden:
    """Rows, the trained model's answers to them, and which file gave the same answers.

    Attributes:
        inputs: tensors of the wire contract by name.
        outputs: float32 [B] by output; [B, C] of one with several columns.
        digest: SHA-256 of the model file, hexadecimal. Rows reach few embeddings; the digest covers all.
    """

    inputs: dict[str, NDArray[np.generic]]
    outputs: Answers
    digest: str

    def differences(self, answers: Answers) -> dict[str, float]:
        """Return how far answers are from the trained model's, by task; infinite where they are missing."""
        fits = {name: name in answers and answers[name].shape == value.shape for name, value in self.outputs.items()}
        return {
            name: difference(answers[name], value) if fits[name] else np.inf for name, value in self.outputs.items()
        }


def export_onnx(
    run: str | Path,
    *,
    out: str | Path,
    triton: str | None = None,
    onnxruntime: str | None = None,
    verified_with: str | None = None,
    requests: RequestOptions | None = RequestOptions(),  # noqa: B008 (it is frozen)
) -> Bundle:
    """Export a run to a bundle, which appears whole or not at all.

    Args:
        run: a run directory.
        out: the bundle directory to make; must not exist or be empty.
        triton: Triton release that will serve it, which decides opset and file format; the newest when neither it nor
            `onnxruntime` is named.
        onnxruntime: version that will load it, such as 1.24, in place of a release.
        verified_with: version of ONNX Runtime that the graph must answer alike in too; pip installs it in an
            environment of its own.
        requests: of the second graph, over one user and many items, which a schema with features of both has; None
            exports none.

    Raises:
        ExportError: target or version are unknown, or the model cannot be exported.
        ParityError: the graph answers unlike the model; the evidence is in `<out>.failed/parity.json`.
        DataError: `run` is no run directory.
        OutputError: `out` exists or cannot be written.
    """
    target, out = resolve_target(triton, onnxruntime), Path(out)
    refuse_existing(out)
    if verified_with is not None:
        python_with(verified_with)
    ranker = TrainedRanker.load(Path(run))
    record = RunRecord.of(Path(run), ranker.run_id).to_json()
    request = None if requests is None else request_of(ranker.schema, requests)
    with staged_directory(out) as stage:
        exported = _rows(ranker, target)
        _write(stage, exported, record, out, verified_with)
        if request is not None:
            _write(stage / REQUEST_FOLDER, _requests(ranker, target, request), record, out, verified_with)
    return Bundle(out, exported.signature)


class _Exported(NamedTuple):
    """A graph, what it must answer, and rows to prove it on later."""

    signature: Signature
    graph: bytes
    expected: list[Expectation]
    golden: tuple[Mapping[str, NDArray[Any]], Answers]


def _rows(ranker: TrainedRanker, target: Target) -> _Exported:
    signature = sign(ranker, target)
    rows = sample_rows(ranker, GOLDEN_ROWS)
    golden = rows.named(), predict(ranker.model, rows, as_served=True)
    graph = build_graph(ranker, target, signature).SerializeToString()
    return _Exported(signature, graph, expectations(ranker), golden)


def _requests(ranker: TrainedRanker, target: Target, request: Request) -> _Exported:
    signature = sign(ranker, target, request)
    rows = sample_rows(ranker, GOLDEN_ROWS)
    golden = expected_request(ranker, request, rows[:1], rows)
    graph = build_request_graph(ranker, target, signature).SerializeToString()
    return _Exported(signature, graph, request_expectations(ranker, request), golden)


def _write(folder: Path, exported: _Exported, record: str, out: Path, version: str | None) -> None:
    """Write the files of one graph, and prove that it answers like the model."""
    folder.mkdir(exist_ok=True)
    (folder / MODEL_FILE).write_bytes(exported.graph)
    parity = _prove(exported.expected, folder / MODEL_FILE, out, version)
    (folder / SIGNATURE_FILE).write_text(exported.signature.to_json() + "\n", encoding="utf-8")
    (folder / PARITY_FILE).write_text(parity.to_json(), encoding="utf-8")
    (folder / RUN_FILE).write_text(record, encoding="utf-8")
    _write_golden(folder / GOLDEN_FILE, *exported.golden, exported.graph)


def _prove(expected: Sequence[Expectation], model: Path, out: Path, version: str | None) -> Parity:
    """Compare the file that was written with the trained model, here and in the version to verify with.

    Raises:
        ParityError: it answers differently.
    """
    parity = parity_of(expected, open_session(model))
    if version is not None:
        verified = verify_with(version, model, expected, tolerance=parity.tolerance)
        parity = msgspec.structs.replace(parity, verified=(verified,))
    try:
        parity.require()
    except ParityError as err:
        raise ParityError(f"export refused: {err}; evidence in {_keep_evidence(out, parity)}") from err
    return parity


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
        if not gap <= TOLERANCE:
            raise RepositoryError(
                f"{shown} answers golden rows of task {name!r} with a difference of {gap:.1e}; "
                f"the bundle was changed: export the run anew"
            )
    with model_file.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != golden.digest:
            raise RepositoryError(f"{shown} was changed after its export; export the run anew")


def _keep_evidence(out: Path, parity: Parity) -> Path:
    folder = out.with_name(out.name + ".failed")
    shutil.rmtree(folder, ignore_errors=True)
    with staged_directory(folder) as stage:
        (stage / PARITY_FILE).write_text(parity.to_json(), encoding="utf-8")
    return folder / PARITY_FILE


def _write_golden(path: Path, inputs: Mapping[str, NDArray[Any]], answers: Answers, graph: bytes) -> None:
    outputs = {OUTPUT_PREFIX + name: value for name, value in answers.items()}
    digest = np.frombuffer(hashlib.sha256(graph).digest(), np.uint8)
    # No allow_pickle here: numpy 1 knows no such argument and would store it as an array.
    arrays: dict[str, Any] = {**inputs, **outputs, DIGEST_ENTRY: digest}
    np.savez(path, **arrays)
