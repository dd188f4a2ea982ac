"""A bundle: one ONNX file with everything needed to publish and check it."""

import dataclasses
import hashlib
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank import arguments
from polyrank.card import CARD_FILE
from polyrank.errors import MissingExtraError, RepositoryError
from polyrank.reasons import first_line
from polyrank.run_record import RUN_FILE
from polyrank.signature import TOP_ITEMS, TOP_SCORES, Signature

from .answers import Answers, open_session, run_session
from .graphs import DATA_SUFFIX
from .parity import TOLERANCE, Parity, difference
from .reducing import tolerance_of

MODEL_FILE = "model.onnx"
DATA_FILE = MODEL_FILE + DATA_SUFFIX
SIGNATURE_FILE = "signature.json"
PARITY_FILE = "parity.json"
GOLDEN_FILE = "golden.npz"
REQUEST_FOLDER = "rank"
"""A bundle within the bundle: that of the graph over requests."""

_FILES = {MODEL_FILE, DATA_FILE, SIGNATURE_FILE, PARITY_FILE, GOLDEN_FILE, RUN_FILE, CARD_FILE}
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, MemoryError, RecursionError),
    *(NotImplementedError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile, tokenize.TokenError),
)
"""What numpy and zipfile raise of an archive that is damaged."""

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
            ConfigError: `path` is none.
            RepositoryError: a file is missing or damaged, or a link leads out of the directory.
        """
        path = arguments.path("path", path)
        _require_own(path)
        for name in (MODEL_FILE, SIGNATURE_FILE, GOLDEN_FILE):
            if not (path / name).is_file():
                raise RepositoryError(f"{path} is not a bundle: {name} is missing; make one with: polyrank export")
        return cls(path, Signature.load(path))

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
            stored = _arrays(self.path / GOLDEN_FILE)
            digests = {MODEL_FILE: stored.pop(DIGEST_PREFIX + MODEL_FILE).tobytes().hex()}
            if DIGEST_PREFIX + DATA_FILE in stored:
                digests[DATA_FILE] = stored.pop(DIGEST_PREFIX + DATA_FILE).tobytes().hex()
            names = [name for name in self.signature.outputs if name not in (TOP_ITEMS, TOP_SCORES)]
            outputs = {name: stored.pop(OUTPUT_PREFIX + name) for name in names}
        except _UNREADABLE as err:
            raise RepositoryError(f"{self.path / GOLDEN_FILE} is damaged; export the run anew") from err
        return Golden(stored, outputs, digests, tolerance_of(self.signature.precision))


def _require_own(folder: Path) -> None:
    """Refuse links that lead out of a bundle, since what they lead to would be published, and what is no file."""
    home = os.path.realpath(folder)
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not Path(os.path.realpath(entry)).is_relative_to(home):
            raise RepositoryError(f"{entry} is a link that leads out of the bundle; put the file itself there")
        if entry.name in _FILES and not entry.is_file():
            raise RepositoryError(f"{entry} is no file; export the run anew")


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Read arrays of which none is larger than the file."""
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("arrays are compressed")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


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
        raise RepositoryError(f"{shown} does not load: {first_line(err)}") from err
    for name, gap in golden.differences(answers).items():
        if not gap <= golden.tolerance:
            raise RepositoryError(
                f"{shown} answers golden rows of task {name!r} with a difference of {gap:.1e}; "
                f"the bundle was changed: export the run anew"
            )
    for file in files_of(model_file):
        if digest_of(file).hex() != golden.digests.get(file.name):
            raise RepositoryError(f"{shown.parent / file.name} was changed after its export; export the run anew")


def files_of(model_file: Path) -> tuple[Path, ...]:
    """Return an ONNX file and, if there is one, that of its weights beside it."""
    data = model_file.with_name(model_file.name + DATA_SUFFIX)
    return (model_file, data) if data.is_file() else (model_file,)


def digest_of(path: Path) -> bytes:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
