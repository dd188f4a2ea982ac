"""Publishing to an object store, by way of fsspec: the version's files first, `config.pbtxt` last.

An object store renames nothing, so a version folder fills object by object. What makes a version live is one object: on
such a store the version policy names the live versions, and `config.pbtxt` is replaced, which is atomic, only when all
files of the version are there. Nothing else of a version that is live is ever written.

There is no lock: of two publishers at once one may overwrite the other. Let one job publish.
"""

import contextlib
import dataclasses
import posixpath
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyrank.errors import ConfigError, MissingExtraError, OutputError, PolyrankError, RepositoryError

from .bundle import MODEL_FILE, Bundle
from .live_server import LiveServer, require_live
from .model_directory import (
    CONFIG_FILE,
    HIGHEST_FILE,
    live_versions,
    parsed_config,
    parsed_highest,
    version_numbers,
)
from .repository import require_keep
from .servable import Servable, servables_of
from .serving_options import ServingOptions
from .staged_model import kept_versions, prove_version, write_version


@dataclasses.dataclass(frozen=True)
class PublishedRemotely:
    """A version in an object store.

    Attributes:
        model: name of the model.
        version: number of the version.
        url: `<repository>/<model>/<version>`.
        differences: as of `Published`.
    """

    model: str
    version: int
    url: str
    differences: dict[str, float] | None = None


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
        As `publish`, and MissingExtraError: fsspec, or the package for the kind of store, is not installed.
    """
    require_keep(keep)
    bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    name = bundle.signature.schema.name if name is None else name
    servables = servables_of(bundle, name, options or ServingOptions())
    system, root = _open(repository)
    with _writing(repository), tempfile.TemporaryDirectory() as scratch:
        models = [RemoteModel(system, posixpath.join(root, each.name)) for each in servables]
        version = 1 + max(model.highest() for model in models)
        for servable in servables:
            folder = Path(scratch, servable.name)
            write_version(folder, servable)
            prove_version(folder, servable)
        configs = [model.config(each, version) for model, each in zip(models, servables, strict=True)]
        for model, servable in zip(models, servables, strict=True):
            model.upload(Path(scratch, servable.name), version)
        found = [
            model.go_live(each, version, config, server)
            for model, each, config in zip(models, servables, configs, strict=True)
        ]
        if keep is not None:
            for model in models:
                model.drop(keep)
    return PublishedRemotely(name, version, f"{repository.rstrip('/')}/{name}/{version}", found[0])


class RemoteModel:
    """The folder of a model in an object store.

    Args:
        system: an fsspec file system.
        path: of the folder there.
    """

    def __init__(self, system: Any, path: str) -> None:
        self._system = system
        self._path = path

    def versions(self) -> list[int]:
        """List the version numbers, ascending, half-uploaded ones included."""
        self._system.invalidate_cache()
        if not self._system.exists(self._path):
            return []
        return version_numbers(
            posixpath.basename(each.rstrip("/")) for each in self._system.ls(self._path, detail=False)
        )

    def highest(self) -> int:
        """Return the highest number that a version of the model ever had, 0 when it had none."""
        return max([*self.versions(), parsed_highest(self._read(HIGHEST_FILE) or "", self._at(HIGHEST_FILE))])

    def upload(self, folder: Path, version: int) -> None:
        """Send the files of a version, none of which is live yet; when that fails, remove what was sent."""
        self._pin()
        self._write(HIGHEST_FILE, f"{version}\n")
        names = sorted((each.name for each in folder.iterdir()), key=lambda each: (each == MODEL_FILE, each))
        try:
            for name in names:
                self._send(folder / name, self._at(str(version), name))
        except BaseException:
            with contextlib.suppress(Exception):
                self._remove(version)
            raise

    def config(self, servable: Servable, version: int) -> str:
        """Write the configuration under which a version will be live.

        Raises:
            ConfigError: it would not be.
            RepositoryError: other versions that would be live take or give other tensors.
        """
        options, before = servable.record.options, self._read(CONFIG_FILE)
        live = options.specific_versions or tuple([*self.versions(), version][-options.latest_versions :])
        absent = set(live) - {*self.versions(), version}
        if version not in live or absent:
            raise ConfigError(
                f"specific_versions must name version {version}, which is published, and versions that exist, "
                f"got {', '.join(map(str, live))}"
            )
        config = parsed_config(servable.config, CONFIG_FILE)
        if len(live) > 1 and before is not None and _tensors(parsed_config(before, CONFIG_FILE)) != _tensors(config):
            raise RepositoryError(
                f"versions of {servable.name} before {version} take or give other tensors, and one configuration "
                f"speaks for all live versions; publish with latest_versions = 1"
            )
        config.version_policy.specific.versions[:] = sorted(live)
        return _text_of(config)

    def go_live(
        self, servable: Servable, version: int, config: str, server: LiveServer | None
    ) -> dict[str, float] | None:
        """Replace `config.pbtxt`, and have a server prove the version; else put the old one back.

        Raises:
            RepositoryError: the server did not load or prove it.
        """
        before = self._read(CONFIG_FILE)
        self._write(CONFIG_FILE, config)
        if server is None:
            return None
        try:
            return require_live(server, servable, version)
        except BaseException as err:
            state = self._take_back(servable.name, version, before, server)
            if not isinstance(err, PolyrankError):
                raise
            raise RepositoryError(f"{err}; version {version} was taken back, {state}") from err

    def drop(self, keep: int) -> None:
        """Remove versions that are neither among the newest nor live."""
        found = self.versions()
        config = parsed_config(self._read(CONFIG_FILE) or "", self._at(CONFIG_FILE))
        for version in sorted(set(found) - kept_versions(found, live_versions(config, found), keep)):
            self._remove(version)

    def _pin(self) -> None:
        """Have the configuration in place name the versions that are live, so that a new folder is not one."""
        text = self._read(CONFIG_FILE)
        if text is None:
            return
        config = parsed_config(text, self._at(CONFIG_FILE))
        if config.version_policy.WhichOneof("policy_choice") != "specific":
            live = live_versions(config, self.versions())
            config.version_policy.specific.versions.extend(sorted(live))
            self._write(CONFIG_FILE, _text_of(config))

    def _take_back(self, name: str, version: int, before: str | None, server: LiveServer) -> str:
        if before is None:
            self._system.rm_file(self._at(CONFIG_FILE))
        else:
            self._write(CONFIG_FILE, before)
        self._remove(version)
        try:
            (server.unload if before is None else server.load)(name)
        except PolyrankError as err:
            return f"but {server.url} could not be brought back: {err}"
        return f"and {server.url} serves what it did before"

    def _send(self, file: Path, target: str) -> None:
        self._system.put_file(str(file), target)
        self._system.invalidate_cache()
        size = self._system.info(target)["size"]
        if size != file.stat().st_size:
            raise RepositoryError(f"{target} has {size} bytes after its upload, {file.stat().st_size} were sent; retry")

    def _read(self, name: str) -> str | None:
        self._system.invalidate_cache()
        try:
            return bytes(self._system.cat_file(self._at(name))).decode()
        except FileNotFoundError:
            return None

    def _write(self, name: str, text: str) -> None:
        self._system.pipe_file(self._at(name), text.encode())

    def _remove(self, version: int) -> None:
        self._system.rm(self._at(str(version)), recursive=True)

    def _at(self, *names: str) -> str:
        return posixpath.join(self._path, *names)


def _open(repository: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as err:
        raise MissingExtraError(f"publishing to {repository} needs fsspec; pip install 'polyrank[remote]'") from err
    try:
        system, path = fsspec.core.url_to_fs(repository)
    except ImportError as err:
        raise MissingExtraError(f"publishing to {repository} needs another package: {err}") from err
    except ValueError as err:
        raise ConfigError(f"{repository} is no URL that fsspec knows: {err}") from err
    return system, str(path)


def _tensors(config: Any) -> list[bytes]:
    return [each.SerializeToString(deterministic=True) for each in (*config.input, *config.output)]


def _text_of(config: Any) -> str:
    from google.protobuf import text_format

    return str(text_format.MessageToString(config))


@contextlib.contextmanager
def _writing(repository: str) -> Iterator[None]:
    try:
        yield
    except PolyrankError:
        raise
    except Exception as err:  # each store has errors of its own
        reason = " ".join(str(err).split()) or type(err).__name__
        raise OutputError(f"cannot write {repository}: {reason}") from err
