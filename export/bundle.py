"""A bundle: one ONNX file with everything needed to publish and check it."""

import contextlib
import dataclasses
import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import polyrank
from polyrank.encoder import dense_layout
from polyrank.errors import MissingExtraError, ParityError, RepositoryError
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.signature import Precision, Signature, slots_of, weights_of
from polyrank.staging import refuse_existing, staged_directory

from .answers import Answers, open_session, run_session
from .environments import python_with
from .graph import attach_signature, build_graph
from .graphs import DATA_SUFFIX
from .parity import TOLERANCE, Parity, difference
from .probes import sample_rows
from .proving import Proof
from .reducing import reduced, tolerance_of
from .releases import Target, resolve_target

MODEL_FILE = "model.onnx"
DATA_FILE = MODEL_FILE + DATA_SUFFIX
SIGNATURE_FILE = "signature.json"
PARITY_FILE = "parity.json"
GOLDEN_FILE = "golden.npz"
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
            outputs = {name: stored.pop(OUTPUT_PREFIX + name) for name in self.signature.outputs}
        except (OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as err:
            raise RepositoryError(f"{self.path / GOLDEN_FILE} is damaged; export the run anew") from err
        return Golden(stored, outputs, digests)


@dataclasses.dataclass(frozen=True)
class Golden:
    """Rows, the trained model's answers to them, and which file gave the same answers.

    Attributes:
        inputs: tensors of the wire contract by name.
        outputs: float32 [B] by output; [B, C] of one with several columns.
        digests: SHA-256 of each file of the model by name, hexadecimal. Rows reach few embeddings; digests cover all.
    """

    inputs: dict[str, NDArray[np.generic]]
    outputs: Answers
    digests: dict[str, str]


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
    """

    triton: str | None = None
    onnxruntime: str | None = None
    verified_with: str | None = None
    precision: Precision = dataclasses.field(default_factory=Precision)


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
        ParityError: the graph answers unlike the model; the evidence is in `<out>.failed/parity.json`.
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
    signature = sign(ranker, target)
    graph = build_graph(ranker, target, signature)
    with staged_directory(out) as stage:
        model = stage / MODEL_FILE
        proof = Proof(ranker, model, options.verified_with)
        with _evidence_kept(proof, out):
            proof.exact(graph)
            if options.precision != Precision():
                graph, precision = reduced(graph, options.precision, ranker, run)
                signature = msgspec.structs.replace(signature, precision=precision)
                attach_signature(graph.model, signature)
                proof.reduced(graph, precision)
        (stage / SIGNATURE_FILE).write_text(signature.to_json() + "\n", encoding="utf-8")
        (stage / PARITY_FILE).write_text(proof.parity.to_json(), encoding="utf-8")
        _write_golden(stage / GOLDEN_FILE, ranker, model)
    return Bundle(out, signature)


@contextlib.contextmanager
def _evidence_kept(proof: Proof, out: Path) -> Iterator[None]:
    try:
        yield
    except ParityError as err:
        raise ParityError(f"export refused: {err}; evidence in {_keep_evidence(out, proof.parity)}") from err


def sign(ranker: TrainedRanker, target: Target) -> Signature:
    """Describe a ranker that is exported for `target`."""
    return Signature(
        schema=ranker.schema,
        slots=slots_of(ranker.schema),
        weights=weights_of(ranker.schema),
        dense=tuple(name for columns in dense_layout(ranker.schema) for name in columns.names),
        outputs=tuple(name for task in ranker.schema.tasks for name in task.outputs),
        opset=target.opset,
        ir_version=target.ir_version,
        triton=target.triton,
        onnxruntime=target.onnxruntime,
        run_id=ranker.run_id,
        polyrank=polyrank.__version__,
    )


def check_golden(bundle: Bundle, model_file: Path) -> None:
    """Load a copy of a bundle's model file and answer the golden rows with it.

    Raises:
        RepositoryError: the file does not load, answers unlike the trained model, or is not the one that was exported.
    """
    golden = bundle.golden()
    try:
        answers = run_session(open_session(model_file), golden.inputs)
    except MissingExtraError:
        raise
    except Exception as err:  # onnxruntime's errors have no base of their own
        raise RepositoryError(f"{bundle.model_file} does not load: {str(err).splitlines()[0]}") from err
    limit = max(TOLERANCE, tolerance_of(bundle.signature.precision))
    for name, expected in golden.outputs.items():
        fits = name in answers and answers[name].shape == expected.shape
        gap = difference(answers[name], expected) if fits else np.inf
        if not gap <= limit:
            raise RepositoryError(
                f"{bundle.model_file} answers golden rows of task {name!r} with a difference of {gap:.1e}; "
                f"the bundle was changed: export the run anew"
            )
    for file in files_of(model_file):
        if _digest(file).hex() != golden.digests.get(file.name):
            raise RepositoryError(f"{bundle.path / file.name} was changed after its export; export the run anew")


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


def _write_golden(path: Path, ranker: TrainedRanker, model: Path) -> None:
    rows = sample_rows(ranker, GOLDEN_ROWS)
    outputs = {OUTPUT_PREFIX + name: value for name, value in predict(ranker.model, rows, as_served=True).items()}
    digests = {DIGEST_PREFIX + file.name: np.frombuffer(_digest(file), np.uint8) for file in files_of(model)}
    # No allow_pickle here: numpy 1 knows no such argument and would store it as an array.
    arrays: dict[str, Any] = {**rows.named(), **outputs, **digests}
    np.savez(path, **arrays)
