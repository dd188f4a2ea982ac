"""Publishing: a bundle becomes a version in a Triton model repository, in one step that is whole or not at all.

A version is `<repository>/<model>/<version>/model.onnx`, and one `config.pbtxt` speaks for all versions of a model. So
the whole model directory is built beside the repository, where no server looks; proven by answering golden rows; and
then exchanged with the one in place by a single system call. Earlier versions are hard links in the new directory.
"""

import contextlib
import dataclasses
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import onnx

from polyrank.errors import OutputError, PolyrankError, RepositoryError
from polyrank.signature import Signature
from polyrank.staging import flush, flush_tree, partial_directory

from .bundle import MODEL_FILE, Bundle, check_golden
from .exchange import exchange
from .model_config import config_pbtxt, signature_text
from .serving_options import ServingOptions

CONFIG_FILE = "config.pbtxt"
MAX_NAME_LENGTH = 128


@dataclasses.dataclass(frozen=True)
class Published:
    """A version in a repository.

    Attributes:
        model: name of the model.
        version: number of the version.
        path: `<repository>/<model>/<version>`.
    """

    model: str
    version: int
    path: Path


def publish(
    bundle: Bundle | str | Path,
    repository: str | Path,
    *,
    name: str | None = None,
    options: ServingOptions | None = None,
) -> Published:
    """Publish a bundle as the next version of a model.

    Args:
        bundle: a bundle, or its directory.
        repository: the model repository; made when absent.
        name: of the model; None takes the schema's.
        options: batching and threads.

    Raises:
        RepositoryError: the bundle is damaged, the name is no model name, or the model directory is not a model.
        OutputError: the repository cannot be written.
    """
    bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    name = bundle.signature.schema.name if name is None else name
    if len(name) > MAX_NAME_LENGTH or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise RepositoryError(
            f"model name must be letters, digits, '_' or '-', the first a letter or digit, "
            f"at most {MAX_NAME_LENGTH} long, got {name!r}"
        )
    place = Path(repository).absolute() / name
    config = config_pbtxt(_read_graph(bundle), name, options or ServingOptions())
    stage_name = place.parent.parent / f"{place.parent.name}.{name}"
    with _writing(place), _lock(place.parent), partial_directory(stage_name, shown=place) as stage:
        version = _stage(stage, place, bundle, config)
        check_golden(bundle, stage / name / str(version) / MODEL_FILE)
        flush_tree(stage)
        exchange(stage / name, place)
        flush(place.parent)
    return Published(name, version, place / str(version))


def versions(model: Path) -> list[int]:
    """List the version numbers in a model directory, ascending; empty when there is none."""
    if not model.is_dir():
        return []
    return sorted(int(entry.name) for entry in model.iterdir() if re.fullmatch(r"[1-9][0-9]*", entry.name))


def _stage(stage: Path, place: Path, bundle: Bundle, config: str) -> int:
    """Build the next state of the model directory; return the new version."""
    if place.exists() and not (place / CONFIG_FILE).is_file():
        raise RepositoryError(f"{place} exists and is no model: it has no {CONFIG_FILE}; move it away")
    version = max(versions(place), default=0) + 1
    model = stage / place.name
    if place.exists():
        shutil.copytree(place, model, copy_function=_link_or_copy)
    (model / str(version)).mkdir(parents=True)
    shutil.copyfile(bundle.model_file, model / str(version) / MODEL_FILE)
    # A new file, never a write through the link: the old configuration stays what it was until the exchange.
    (model / CONFIG_FILE).unlink(missing_ok=True)
    (model / CONFIG_FILE).write_text(config, encoding="utf-8")
    return version


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _read_graph(bundle: Bundle) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(bundle.model_file, load_external_data=False)
    except DecodeError as err:
        raise RepositoryError(f"{bundle.model_file} is damaged: not an ONNX file; export the run anew") from err
    # As they are understood: a bundle of an earlier version of Polyrank writes fewer keys.
    if Signature.from_json(signature_text(graph)) != bundle.signature:
        raise RepositoryError(f"{bundle.path}: signature.json is not that of {MODEL_FILE}; export the run anew")
    return graph


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Say what could not be written, in one line."""
    try:
        yield
    except PolyrankError:
        raise
    except shutil.Error as err:  # a tree that was copied in part: (source, target, reason) for each failure
        raise OutputError(f"cannot write {place}: {err.args[0][0][-1]}") from err
    except OSError as err:
        raise OutputError(f"cannot write {place}: {(err.strerror or str(err)).lower()}") from err


@contextlib.contextmanager
def _lock(repository: Path) -> Iterator[None]:
    """Make the repository when it is absent, and let one publisher at a time work on it; others wait."""
    repository.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
