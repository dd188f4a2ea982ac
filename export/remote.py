"""Publishing to an object store, by way of fsspec: the version's files first, `config.pbtxt` last.

An object store renames nothing, so a version folder fills object by object. What makes a version live is one object: on
such a store the version policy names the live versions, and `config.pbtxt` is replaced, which is atomic, only when all
files of the version are there. Nothing else of a version that is live is ever written.

There is no lock: of two publishers at once one may overwrite the other. Let one job publish.
"""

import contextlib
import dataclasses
import logging
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyrank.arguments import text
from polyrank.errors import OutputError, PolyrankError, RepositoryError
from polyrank.files import open_store, shown_url

from .bundle import Bundle
from .live_server import LiveServer, require_absent, require_live, restore
from .remote_model import RemoteModel
from .repository import beside, requested
from .servable import Servable
from .serving_options import ServingOptions
from .staged_model import lost_answers, prove_version, write_version
from .together import require_together

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PublishedRemotely:
    """A version in an object store.

    Attributes:
        model: name of the model.
        version: number of the version.
        url: `<repository>/<model>/<version>`, without a password or signature.
        differences: as of `Published`.
        requests: as of `Published`.
        raw: as of `Published`.
    """

    model: str
    version: int
    url: str
    differences: dict[str, float] | None = None
    requests: "PublishedRemotely | None" = None
    raw: "PublishedRemotely | None" = None

    @property
    def location(self) -> str:
        """Where the version is."""
        return self.url


def publish_remote(
    bundle: Bundle | str | Path,
    repository: str,
    *,
    name: str | None = None,
    options: ServingOptions | None = None,
    keep: int | None = None,
    server: LiveServer | None = None,
) -> PublishedRemotely:
    """Publish a bundle as the next version of a model in an object store.

    Golden rows are answered on this machine before anything is sent.

    Args:
        bundle: a bundle, or its directory.
        repository: a URL that fsspec knows, such as `s3://bucket/models` or `gs://bucket/models`.
        name: of the model; None takes the schema's.
        options: how Triton runs it.
        keep: as in `publish`.
        server: as in `publish`; its model repository is the same store.

    Raises:
        PolyrankError: as `publish`.
        MissingExtraError: fsspec, or the package for the kind of store, is not installed.
    """
    text("repository", repository)
    servables = requested(bundle, name, options, keep, server)
    system, root = open_store(repository, "publishing to")
    with _writing(repository), tempfile.TemporaryDirectory() as scratch:
        names = [each.name for each in servables]
        require_together(
            names,
            lambda model: RemoteModel(system, posixpath.join(root, model)).newest_record(),
            where=shown_url(repository),
        )
        models = [RemoteModel(system, posixpath.join(root, each)) for each in names]
        version = 1 + max(model.highest() for model in models)
        if server is not None:
            require_absent(server, names, version)
        for servable in servables:
            folder = Path(scratch, servable.name)
            write_version(folder, servable)
            prove_version(folder, servable)
        loss = lost_answers(servables[0], models[0].newest_signature())
        configs = [model.config(each, version) for model, each in zip(models, servables, strict=True)]
        folders = [Path(scratch, each) for each in names]
        found = _go_live(models, servables, version, folders, configs, server)
        if keep is not None:
            _drop(models, names, version, keep)
    if loss:
        logger.warning("%s", loss)
    place = shown_url(repository).rstrip("/")
    first, *others = (
        PublishedRemotely(each, version, f"{place}/{each}/{version}", None if found is None else found[each])
        for each in names
    )
    return dataclasses.replace(first, **beside(others))


def _go_live(
    models: Sequence[RemoteModel],
    servables: Sequence[Servable],
    version: int,
    folders: Sequence[Path],
    configs: Sequence[str],
    server: LiveServer | None,
) -> dict[str, dict[str, float]] | None:
    """Send all files, then replace every `config.pbtxt`, then have a server prove the versions; or undo all of it.

    Raises:
        RepositoryError: the server did not load or prove them.
    """
    before: list[str | None] = []
    is_asked = False
    try:
        for model, folder in zip(models, folders, strict=True):
            before.append(model.pin())
            model.upload(folder, version)
        for model, config in zip(models, configs, strict=True):
            model.write_config(config)
        if server is None:
            return None
        is_asked = True
        return {each.name: require_live(server, each, version) for each in servables}
    except BaseException as err:
        is_back = _take_back(models, before, version)
        if server is None or not is_asked or not isinstance(err, PolyrankError):
            raise
        if not is_back:
            raise RepositoryError(f"{err}; version {version} could not be taken back") from err
        state = restore(server, {each.name: old is not None for each, old in zip(servables, before, strict=True)})
        raise RepositoryError(f"{err}; version {version} was taken back, {state}") from err


def _take_back(models: Sequence[RemoteModel], before: Sequence[str | None], version: int) -> bool:
    """Undo a version of every model whose configuration from before is known; say whether all of it was undone."""
    failed = 0
    for model, old in zip(models, before, strict=False):
        try:
            model.take_back(version, old)
        except Exception as err:  # noqa: BLE001 (each store has errors of its own)
            failed += 1
            logger.warning("%s: version %d could not be taken back: %s", model.path, version, _reason(err))
    return failed == 0


def _drop(models: Sequence[RemoteModel], names: Sequence[str], version: int, keep: int) -> None:
    for model, name in zip(models, names, strict=True):
        try:
            model.drop(keep)
        except Exception as err:  # each store has errors of its own
            why = f"{name} version {version} is live, but older ones were not removed: {_reason(err)}"
            raise OutputError(why) from err


@contextlib.contextmanager
def _writing(repository: str) -> Iterator[None]:
    try:
        yield
    except PolyrankError:
        raise
    except Exception as err:  # each store has errors of its own
        raise OutputError(f"cannot write {shown_url(repository)}: {_reason(err)}") from err


def _reason(err: Exception) -> str:
    return shown_url(" ".join(str(err).split())) or type(err).__name__
