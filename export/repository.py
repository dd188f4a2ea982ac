"""Publishing: a bundle becomes a version in a Triton model repository, in one step that is whole or not at all.

A version is `<repository>/<model>/<version>/model.onnx`, and one `config.pbtxt` speaks for all versions of a model. So
the whole model directory is built beside the repository, where no server looks; proven by answering golden rows; and
then exchanged with the one in place by a single system call. Earlier versions are hard links in the new directory.
"""

import contextlib
import dataclasses
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyrank.arguments import instance, path, shown, text
from polyrank.errors import ConfigError, OutputError, PolyrankError, RepositoryError
from polyrank.reasons import system_reason
from polyrank.signature import RAW_SUFFIX
from polyrank.staging import flush, partial_directory
from polyrank.triton_config import parsed_config

from .bundle import MODEL_FILE, SIGNATURE_FILE, Bundle
from .live_server import LiveServer, require_absent, require_live, restore
from .model_directory import highest_version, live_versions, local_folder, newest_record, versions
from .servable import Servable, servables_of
from .serving_options import ServingOptions
from .staged_model import StagedModel, lost_answers
from .together import require_together

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Published:
    """A version in a repository.

    Attributes:
        model: name of the model.
        version: number of the version.
        path: `<repository>/<model>/<version>`.
        differences: how far a server's answers to golden rows were from the trained model's, by task; None when no
            server was asked.
        requests: the version of the model over requests; None where the bundle has none.
        raw: the version of the model that takes a tensor for each feature; None where options do not ask for it.
    """

    model: str
    version: int
    path: Path
    differences: dict[str, float] | None = None
    requests: "Published | None" = None
    raw: "Published | None" = None

    @property
    def location(self) -> str:
        """Where the version is."""
        return str(self.path)


def publish(
    bundle: Bundle | str | Path,
    repository: str | Path,
    *,
    name: str | None = None,
    options: ServingOptions | None = None,
    keep: int | None = None,
    server: LiveServer | None = None,
) -> Published:
    """Publish a bundle as the next version of a model.

    Args:
        bundle: a bundle, or its directory.
        repository: the model repository; made when absent.
        name: of the model; None takes the schema's.
        options: how Triton runs it.
        keep: how many of the newest versions stay, beside those that are live; None keeps all.
        server: loads the version and proves it; when that fails, the repository and the server are as before. Older
            versions are removed after that.

    Raises:
        ConfigError: `keep` is below 1, another argument is of a wrong type, or the options do not go with the versions.
        RepositoryError: the bundle is damaged, the repository lies in a bundle, the name is no model name, the model
            directory is not a model or that of another, an older model over requests would stay beside the version, or
            the server did not load or prove it.
        OutputError: the repository is a file, or cannot be written.
    """
    place = local_folder(repository)
    servables = requested(bundle, name, options, keep, server)
    with writing(place / servables[0].name):
        _require_folder(place)
        with locked(place):
            return put(servables, place, keep=keep, server=server)


def put(servables: Sequence[Servable], repository: Path, *, keep: int | None, server: LiveServer | None) -> Published:
    """Give models their next version, all of the same number, one exchange each; the caller holds the lock.

    Returns:
        What the first of them, that over rows, became.

    Raises:
        As `publish`.
    """
    require_together(
        [each.name for each in servables],
        lambda model: newest_record(repository / model),
        where=repository,
        is_older=servables[0].record.origin is not None,
    )
    version = 1 + max(highest_version(repository / each.name) for each in servables)
    if server is not None:
        _require_all_live(servables, version)
        require_absent(server, [each.name for each in servables], version)
    loss = lost_answers(servables[0], _newest_signature(repository / servables[0].name))
    with contextlib.ExitStack() as stack:
        staged = [_staged(repository / each.name, stack) for each in servables]
        for model, servable in zip(staged, servables, strict=True):
            model.build(servable, version, keep=keep if server is None else None)
        _apply(staged)
        found = None if server is None else _prove(staged, servables, version, server)
    if keep is not None and server is not None:
        _drop(servables, repository, version, keep)
    _warn_dead(servables, version)
    if loss:
        logger.warning("%s", loss)
    first, *others = (
        Published(
            each.name, version, repository / each.name / str(version), None if found is None else found[each.name]
        )
        for each in servables
    )
    return dataclasses.replace(first, **beside(others))


def beside(others: Sequence[Any]) -> dict[str, Any]:
    """Name what was published beside the model over rows, as `Published` does."""
    return {"raw" if each.model.endswith(RAW_SUFFIX) else "requests": each for each in others}


def requested(
    bundle: Bundle | str | Path,
    name: str | None,
    options: ServingOptions | None,
    keep: int | None,
    server: LiveServer | None,
) -> list[Servable]:
    """Check the arguments of `publish`, and return the models that it is to publish.

    Raises:
        As `publish`.
    """
    if keep is not None and (not isinstance(keep, int) or isinstance(keep, bool) or keep < 1):
        raise ConfigError(
            f"keep must be an integer of 1 or above, got {shown(keep)}; leave it out to keep all versions"
        )
    if name is not None:
        text("name", name)
    if options is not None:
        instance("options", options, ServingOptions, "ServingOptions")
    require_server(server)
    found = bundle if isinstance(bundle, Bundle) else Bundle.load(path("bundle", bundle))
    name = found.signature.schema.name if name is None else name
    return servables_of(found, name, options or ServingOptions())


def require_server(server: LiveServer | None) -> None:
    """Refuse what cannot be asked to load and prove, such as the address of a server.

    Raises:
        ConfigError: it cannot.
    """
    if server is not None and not hasattr(server, "serves"):
        raise ConfigError(f"server must be a ModelControl, got {shown(server)}")


def _require_folder(place: Path) -> None:
    """Refuse a repository that is a file, or where it would change a bundle."""
    there = next(each for each in (place, *place.parents) if each.exists())
    if not there.is_dir():
        what = "is" if there == place else f"lies under {there}, which is"
        raise OutputError(f"repository {place} {what} a file; name a folder")
    for each in (place, *place.parents):
        if (each / MODEL_FILE).is_file() and (each / SIGNATURE_FILE).is_file():
            what = "is a bundle" if each == place else f"lies in the bundle {each}"
            raise RepositoryError(f"repository {place} {what}, which publishing would change; name another folder")


def _staged(place: Path, stack: contextlib.ExitStack) -> StagedModel:
    beside = place.parent.parent
    if not os.access(beside, os.W_OK):
        raise OutputError(
            f"cannot write {beside}, where a version is built before it moves into the repository: no permission, or a "
            f"read-only file system"
        )
    stage_name = beside / f"{place.parent.name}.{place.name}"
    return StagedModel(stack.enter_context(partial_directory(stage_name, shown=place)), place)


def _require_all_live(servables: Sequence[Servable], version: int) -> None:
    for each in servables:
        if version not in live_versions(parsed_config(each.config, each.name), [version]):
            raise ConfigError(
                f"version {version} of {each.name} would not be live under specific_versions, so no server can prove "
                f"it; name it there, or publish without a server"
            )


def _warn_dead(servables: Sequence[Servable], version: int) -> None:
    for each in servables:
        if version not in live_versions(parsed_config(each.config, each.name), [version]):
            logger.warning("version %d of %s is not live: specific_versions does not name it", version, each.name)


def _newest_signature(place: Path) -> bytes | None:
    """Read that of the newest version of a model; None where there is none."""
    with contextlib.suppress(OSError):
        return (place / str(max(versions(place), default=0)) / SIGNATURE_FILE).read_bytes()
    return None


def _apply(staged: Sequence[StagedModel]) -> None:
    """Exchange every model, or none."""
    with contextlib.ExitStack() as undoing:
        for model in staged:
            model.apply()
            undoing.callback(model.undo)
        flush(staged[0].place.parent)
        undoing.pop_all()


def _prove(
    staged: Sequence[StagedModel], servables: Sequence[Servable], version: int, server: LiveServer
) -> dict[str, dict[str, float]]:
    """Have the server load and prove every model; else put back what was in place, and have it loaded again."""
    try:
        return {each.name: require_live(server, each, version) for each in servables}
    except BaseException as err:
        state = _take_back(staged, version, server)
        if not isinstance(err, PolyrankError):
            raise
        raise RepositoryError(f"{err}; {state}") from err


def _take_back(staged: Sequence[StagedModel], version: int, server: LiveServer) -> str:
    """Put back what was in place of every model, and have it loaded again; say how the repository and server stand."""
    try:
        with contextlib.ExitStack() as undoing:
            for model in staged:
                undoing.callback(model.undo)
    except OSError as err:
        return f"version {version} could not be taken back: {system_reason(err)}"
    return f"version {version} was taken back, " + restore(
        server, {model.place.name: model.was_there for model in staged}
    )


def _drop(servables: Sequence[Servable], repository: Path, version: int, keep: int) -> None:
    for each in servables:
        try:
            with contextlib.ExitStack() as stack:
                model = _staged(repository / each.name, stack)
                model.build_without_old(keep)
                model.apply()
                flush(repository)
        except (PolyrankError, OSError) as err:
            raise OutputError(f"{each.name} version {version} is live, but older ones were not removed: {err}") from err


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say what could not be written, in one line."""
    try:
        yield
    except PolyrankError:
        raise
    except shutil.Error as err:  # a tree that was copied in part: (source, target, reason) for each failure
        raise OutputError(f"cannot write {place}: {err.args[0][0][-1]}") from err
    except OSError as err:
        raise OutputError(f"cannot write {place}: {system_reason(err)}") from err


@contextlib.contextmanager
def locked(repository: Path) -> Iterator[None]:
    """Make the repository when it is absent, and let one publisher at a time work on it; others wait."""
    repository.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
