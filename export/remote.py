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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyrank.arguments import text
from polyrank.errors import ConfigError, OutputError, PolyrankError, RepositoryError
from polyrank.files import open_store
from polyrank.triton_config import CONFIG_FILE, parsed_config

from .bundle import MODEL_FILE, SIGNATURE_FILE, Bundle
from .live_server import LiveServer, require_absent, require_live, restore
from .model_directory import (
    HIGHEST_FILE,
    RECORD_FILE,
    VersionRecord,
    live_versions,
    parsed_highest,
    version_numbers,
)
from .repository import beside, requested
from .servable import Servable
from .serving_options import ServingOptions
from .staged_model import kept_versions, prove_version, require_same_wire, write_version
from .together import require_together


@dataclasses.dataclass(frozen=True)
class PublishedRemotely:
    """A version in an object store.

    Attributes:
        model: name of the model.
        version: number of the version.
        url: `<repository>/<model>/<version>`.
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
            names, lambda model: RemoteModel(system, posixpath.join(root, model)).newest_record(), where=repository
        )
        models = [RemoteModel(system, posixpath.join(root, each)) for each in names]
        version = 1 + max(model.highest() for model in models)
        if server is not None:
            require_absent(server, names, version)
        for servable in servables:
            folder = Path(scratch, servable.name)
            write_version(folder, servable)
            prove_version(folder, servable)
        configs = [model.config(each, version) for model, each in zip(models, servables, strict=True)]
        folders = [Path(scratch, each) for each in names]
        found = _go_live(models, servables, version, folders, configs, server)
        if keep is not None:
            for model in models:
                model.drop(keep)
    first, *others = (
        PublishedRemotely(
            each, version, f"{repository.rstrip('/')}/{each}/{version}", None if found is None else found[each]
        )
        for each in names
    )
    return dataclasses.replace(first, **beside(others))


def _go_live(
    models: "Sequence[RemoteModel]",
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
        is_back = False
        with contextlib.suppress(Exception):  # each store has errors of its own
            for model, old in zip(models, before, strict=False):
                model.take_back(version, old)
            is_back = True
        if server is None or not is_asked or not isinstance(err, PolyrankError):
            raise
        if not is_back:
            raise RepositoryError(f"{err}; version {version} could not be taken back") from err
        state = restore(server, {each.name: old is not None for each, old in zip(servables, before, strict=True)})
        raise RepositoryError(f"{err}; version {version} was taken back, {state}") from err


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

    def whole_versions(self) -> list[int]:
        """List the version numbers, ascending, of which all files are there: the model comes last."""
        return [number for number in self.versions() if self._system.exists(self._at(str(number), MODEL_FILE))]

    def highest(self) -> int:
        """Return the highest number that a version of the model ever had, 0 when it had none."""
        return max([*self.versions(), parsed_highest(self._read(HIGHEST_FILE) or "", self._at(HIGHEST_FILE))])

    def newest_record(self) -> VersionRecord | None:
        """Read the record of the newest version; None where there is no version, or none of ours.

        Raises:
            RepositoryError: it cannot be read.
        """
        found = self.whole_versions()
        file = posixpath.join(str(found[-1] if found else 0), RECORD_FILE)
        text = self._read(file)
        return None if text is None else VersionRecord.parse(text.encode(), self._at(file))

    def read_config(self) -> str | None:
        """Read `config.pbtxt`; None where there is none."""
        return self._read(CONFIG_FILE)

    def write_config(self, text: str | None) -> None:
        """Replace `config.pbtxt`, or remove it."""
        if text is not None:
            self._write(CONFIG_FILE, text)
        elif self.read_config() is not None:
            self._system.rm_file(self._at(CONFIG_FILE))

    def upload(self, folder: Path, version: int) -> None:
        """Send the files of a version, none of which is live yet."""
        self._write(HIGHEST_FILE, f"{version}\n")
        names = sorted((each.name for each in folder.iterdir()), key=lambda each: (each == MODEL_FILE, each))
        for name in names:
            self._send(folder / name, self._at(str(version), name))

    def config(self, servable: Servable, version: int) -> str:
        """Write the configuration under which a version will be live.

        Raises:
            ConfigError: it would not be.
            RepositoryError: other versions that would be live take or give other tensors.
        """
        options, found = servable.record.options, [*self.whole_versions(), version]
        live = options.specific_versions or tuple(found[-options.latest_versions :])
        if version not in live or not {*live} <= {*found}:
            raise ConfigError(
                f"specific_versions must name version {version}, which is published, and versions that exist, "
                f"got {', '.join(map(str, live))}"
            )
        for other in sorted({*live} - {version}):
            text = self._read(posixpath.join(str(other), SIGNATURE_FILE))
            require_same_wire(servable, version, other, None if text is None else text.encode())
        config = parsed_config(servable.config, CONFIG_FILE)
        config.version_policy.specific.versions[:] = sorted(live)
        return _text_of(config)

    def drop(self, keep: int) -> None:
        """Remove versions that are neither among the newest nor live."""
        found = self.whole_versions()
        config = parsed_config(self.read_config() or "", self._at(CONFIG_FILE))
        kept = kept_versions(found, live_versions(config, found), keep)
        for version in sorted({*self.versions()} - kept):
            self._system.rm(self._at(str(version)), recursive=True)

    def take_back(self, version: int, config: str | None) -> None:
        """Bring back the configuration that was there before a version, and remove what was sent of that."""
        self.write_config(config)
        if version in self.versions():
            self._system.rm(self._at(str(version)), recursive=True)

    def pin(self) -> str | None:
        """Have the configuration in place name the versions that are live, so that a new folder is not one.

        Returns:
            The configuration; None where there is none.
        """
        text = self.read_config()
        if text is None:
            return None
        config = parsed_config(text, self._at(CONFIG_FILE))
        if config.version_policy.WhichOneof("policy_choice") != "specific":
            live = live_versions(config, self.whole_versions())
            config.version_policy.specific.versions.extend(sorted(live))
            text = _text_of(config)
            self.write_config(text)
        return text

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

    def _at(self, *names: str) -> str:
        return posixpath.join(self._path, *names)


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
