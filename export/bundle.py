"""A bundle: one ONNX file with everything needed to publish and check it."""

import dataclasses
import hashlib
import shutil
import zipfile
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
from polyrank.signature import Signature, slots_of, weights_of
from polyrank.staging import refuse_existing, staged_directory

from .environments import python_with
from .graph import build_graph
from .parity import TOLERANCE, Answers, Parity, difference, expectations, open_session, parity_of, run_session
from .probes import sample_rows
from .releases import Target, resolve_target
from .verification import verify_with

MODEL_FILE = "model.onnx"
SIGNATURE_FILE = "signature.json"
PARITY_FILE = "parity.json"
GOLDEN_FILE = "golden.npz"
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

    def golden(self) -> "Golden":
        """Return what the trained model answered when the graph was exported.

        Raises:
            RepositoryError: the file is damaged.
        """
        try:
            with (self.path / GOLDEN_FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                stored = {name: arrays[name] for name in arrays.files}
            digest = stored.pop(DIGEST_ENTRY).tobytes().hex()
            outputs = {name: stored.pop(OUTPUT_PREFIX + name) for name in self.signature.outputs}
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


def export_onnx(
    run: str | Path,
    *,
    out: str | Path,
    triton: str | None = None,
    onnxruntime: str | None = None,
    verified_with: str | None = None,
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
    signature = sign(ranker, target)
    graph = build_graph(ranker, target, signature).SerializeToString()
    with staged_directory(out) as stage:
        (stage / MODEL_FILE).write_bytes(graph)
        parity = _prove(ranker, stage / MODEL_FILE, out, verified_with)
        (stage / SIGNATURE_FILE).write_text(signature.to_json() + "\n", encoding="utf-8")
        (stage / PARITY_FILE).write_text(parity.to_json(), encoding="utf-8")
        _write_golden(stage / GOLDEN_FILE, ranker, graph)
    return Bundle(out, signature)


def _prove(ranker: TrainedRanker, model: Path, out: Path, version: str | None) -> Parity:
    """Compare the file that was written with the trained model, here and in the version to verify with.

    Raises:
        ParityError: it answers differently.
    """
    expected = expectations(ranker)
    parity = parity_of(expected, open_session(model))
    if version is not None:
        verified = verify_with(version, model, expected, tolerance=parity.tolerance)
        parity = msgspec.structs.replace(parity, verified=(verified,))
    try:
        parity.require()
    except ParityError as err:
        raise ParityError(f"export refused: {err}; evidence in {_keep_evidence(out, parity)}") from err
    return parity


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
    for name, expected in golden.outputs.items():
        fits = name in answers and answers[name].shape == expected.shape
        gap = difference(answers[name], expected) if fits else np.inf
        if not gap <= TOLERANCE:
            raise RepositoryError(
                f"{bundle.model_file} answers golden rows of task {name!r} with a difference of {gap:.1e}; "
                f"the bundle was changed: export the run anew"
            )
    with model_file.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != golden.digest:
            raise RepositoryError(f"{bundle.model_file} was changed after its export; export the run anew")


def _keep_evidence(out: Path, parity: Parity) -> Path:
    folder = out.with_name(out.name + ".failed")
    shutil.rmtree(folder, ignore_errors=True)
    with staged_directory(folder) as stage:
        (stage / PARITY_FILE).write_text(parity.to_json(), encoding="utf-8")
    return folder / PARITY_FILE


def _write_golden(path: Path, ranker: TrainedRanker, graph: bytes) -> None:
    rows = sample_rows(ranker, GOLDEN_ROWS)
    outputs = {OUTPUT_PREFIX + name: value for name, value in predict(ranker.model, rows, as_served=True).items()}
    digest = np.frombuffer(hashlib.sha256(graph).digest(), np.uint8)
    # No allow_pickle here: numpy 1 knows no such argument and would store it as an array.
    arrays: dict[str, Any] = {**rows.named(), **outputs, DIGEST_ENTRY: digest}
    np.savez(path, **arrays)
