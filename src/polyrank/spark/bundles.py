"""A bundle on its way to executors: one archive, which Spark copies to each of them once and unpacks there."""

import functools
import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import OutputError, RepositoryError
from polyrank.reasons import system_reason
from polyrank.staging import staged_file
from polyrank.triton_config import CONFIG_FILE, published_version

if TYPE_CHECKING:
    from pyspark import SparkContext

    from polyrank.serving import LocalRanker

_KEPT = 2
"""Graphs that a Python process of an executor keeps; a job has one as a rule, and two where it compares."""

_UNVERSIONED = "bundle"

_folders: dict[str, tempfile.TemporaryDirectory[str]] = {}
"""By application, what lies ready to be fetched by executors; removed when this process ends."""

_added: set[Path] = set()
"""What Spark has taken of it."""


def ship(context: "SparkContext", bundle: Path) -> str:
    """Add what scoring needs of a bundle to the files of an application, once for each content.

    An archive, since Spark adds folders to local masters alone, and a broadcast lies in the memory of each process.

    Returns:
        where it is, below the folder of `SparkFiles` on each executor.

    Raises:
        RepositoryError: a file cannot be read.
        OutputError: there is no room for the archive in the folder of temporary files.
    """
    files = [bundle / "signature.json", *sorted(bundle.glob("model.onnx*"))]
    version = str(published_version(bundle) or _UNVERSIONED)
    try:
        name = f"polyrank-{_digest(files)}-{version}"
        archive = _folder(context.applicationId) / f"{name}.zip"
        if not archive.exists():
            with staged_file(archive) as partial:
                packed = {f"{version}/{file.name}": file for file in files}
                if version != _UNVERSIONED:  # by which a ranker there knows that it is a version
                    packed[CONFIG_FILE] = bundle.absolute().parent / CONFIG_FILE
                _pack(packed, partial)
        if archive not in _added:
            context.addArchive(archive.as_uri())
            _added.add(archive)
    except OutputError:
        raise
    except OSError as err:
        raise RepositoryError(f"{bundle} cannot be read or copied: {system_reason(err)}") from err
    return f"{archive.name}/{version}"


def _folder(application: str) -> Path:
    if application not in _folders:
        _folders[application] = tempfile.TemporaryDirectory(prefix="polyrank-")
    return Path(_folders[application].name)


def _pack(files: dict[str, Path], archive: Path) -> None:
    # Stored as they are: weights do not get smaller, and take minutes to be packed.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name, file in files.items():
            packed.write(file, name)


def shipped(place: str) -> "LocalRanker":
    """Return the ranker of a bundle that was shipped, which this process loads once; it runs on one core."""
    from pyspark import SparkFiles

    return _opened(SparkFiles.get(place))


@functools.lru_cache(maxsize=_KEPT)
def _opened(bundle: str) -> "LocalRanker":
    from polyrank.serving import LocalRanker

    return LocalRanker(bundle, threads=1)


def _digest(files: list[Path]) -> str:
    content = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            content.update(hashlib.file_digest(opened, "sha256").digest())
    return content.hexdigest()[:16]
