"""Files that lie elsewhere, by way of fsspec: a URL such as `s3://bucket/logs/*.parquet`, and what it stands for."""

import contextlib
import dataclasses
import hashlib
import logging
import posixpath
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from polyrank.errors import ConfigError, DataError, MissingExtraError, PolyrankError

T = TypeVar("T")

logger = logging.getLogger(__name__)

PAUSES_S = (0.5, 2.0)
"""Before a read that failed is tried again; stores retry on their own besides."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::|://)")
_HERE = "file://"
_PASSWORD = re.compile(r"(//[^/@:]*):[^/@]*@")
_SIGNATURE = re.compile(r"(?i)([?&](?:x-(?:amz|goog)-)?(?:signature|credential|security-token|sig|token)=)[^&#\s]*")
"""What opens a signed address of S3, Google Cloud Storage, Azure, and others."""

_VERSIONS = ("etag", "last-modified", "lastmodified", "mtime", "created", "md5hash", "content-md5", "generation")


@dataclasses.dataclass(frozen=True)
class RemotePath:
    """A file, a directory or a pattern in a store.

    Attributes:
        url: with a password or signature, if it has one; as text a path has none.
        system: the fsspec file system that it lies in.
        path: within that.
    """

    url: str = dataclasses.field(repr=False)
    system: Any = dataclasses.field(compare=False, repr=False)
    path: str = dataclasses.field(compare=False)

    @classmethod
    def of(cls, url: str) -> "RemotePath":
        """Return what a URL names, which need not be there.

        Raises:
            ConfigError: it is no URL that fsspec knows.
            DataError: the store cannot be reached.
            MissingExtraError: fsspec, or the package for the kind of store, is not installed.
        """
        return cls(url, *open_store(url, "reading"))

    def __str__(self) -> str:
        return shown_url(self.url)

    @property
    def name(self) -> str:
        """The last part of the path, without what a query adds."""
        path = urlsplit(self.path).path if "://" in self.path else self.path
        return posixpath.basename(path.rstrip("/"))

    def absolute(self) -> "RemotePath":
        """Return the path itself, as a `Path` that is absolute does."""
        return self

    def child(self, path: str) -> "RemotePath":
        """Return a path of the same store."""
        return RemotePath(str(self.system.unstrip_protocol(path)), self.system, path)

    def kind(self) -> str | None:
        """Return `file` or `directory`; None where there is nothing.

        Raises:
            DataError: the store cannot be reached, which `isfile` and `isdir` of fsspec take for nothing.
        """

        def ask() -> str | None:
            try:
                return str(self.system.info(self.path)["type"])
            except FileNotFoundError as err:
                _raise_cause(err)
                return None

        return self.reach(ask)

    def is_dir(self) -> bool:
        """Say whether it is a directory."""
        return self.kind() == "directory"

    def is_file(self) -> bool:
        """Say whether it is a file."""
        return self.kind() == "file"

    def exists(self) -> bool:
        """Say whether it is there."""
        return self.kind() is not None

    def size(self) -> int | None:
        """Return how many bytes a file has; None where parts of it cannot be had, or the store does not tell.

        Raises:
            DataError: it is not there, or cannot be reached.
        """
        size: int | None = self._info().get("size")
        return None if "http" in self.system.protocol and not self.reach(self._gives_parts) else size

    def state(self) -> list[Any]:
        """Describe a file so that the description changes when its content does: size, and what the store says of it.

        Raises:
            DataError: it is not there, or cannot be reached.
        """
        found = self._info()
        versions = {name: str(value) for name, value in found.items() if name.lower() in _VERSIONS}
        if not versions:
            logger.warning(
                "%s: its store tells no time and no tag, so a change that keeps its size is not noticed", self
            )
        return [str(self), found.get("size"), versions]

    def stamp(self) -> tuple[int, int]:
        """Return the size of a file, -1 where the store does not tell, and an integer that changes with its `state`.

        Raises:
            DataError: it is not there, or cannot be reached.
        """
        found = self.state()
        digest = hashlib.sha256(repr(found).encode()).digest()
        return -1 if found[1] is None else found[1], int.from_bytes(digest[:7], "big")

    def reach(self, ask: Callable[[], T]) -> T:
        """Ask the store, again where that fails for a moment.

        Raises:
            DataError: it does not answer, or refuses; the message says what to look at.
        """
        with _reaching(self):
            for pause in PAUSES_S:
                try:
                    return ask()
                except _LASTING:
                    raise
                except Exception:  # noqa: BLE001 (each store has errors of its own)
                    time.sleep(pause)
            return ask()

    def _gives_parts(self) -> bool:
        """Say whether a web server gives parts of files, which none has to."""
        try:
            with self.system.open(self.path, cache_type="none") as file:
                file.seek(1)
                file.read(1)
        except ValueError:  # fsspec's word for it, before it reads the whole
            return False
        return True

    def _info(self) -> dict[str, Any]:
        self.system.invalidate_cache()
        found: dict[str, Any] = self.reach(lambda: self.system.info(self.path))
        return found


_LASTING = (PolyrankError, FileNotFoundError, PermissionError, NotADirectoryError, NotImplementedError, ImportError)

Location = Path | RemotePath
"""Where rows are: paths of this machine, and those of stores, have what reading needs of both."""


def location(place: str | Path | RemotePath) -> Location:
    """Return what a path or URL names; `file://` is this machine.

    Raises:
        ConfigError: it is no URL that fsspec knows.
        DataError: the store cannot be reached.
        MissingExtraError: fsspec, or the package for the kind of store, is not installed.
    """
    if not isinstance(place, str):
        return place
    return RemotePath.of(place) if _URL.match(place) and not place.startswith(_HERE) else local_path(place)


def local_path(place: str | Path) -> Path:
    """Return a path of this machine, which may be a `file://` URL."""
    text = str(place)
    return Path(unquote(text.removeprefix(_HERE)) if text.startswith(_HERE) else text)


def open_store(url: str, doing: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the path in it.

    Args:
        url: such as `s3://bucket/models`.
        doing: what for, as messages say: `reading`.

    Raises:
        ConfigError: it is no URL that fsspec knows.
        DataError: the store is of a kind that connects at once, and cannot be reached.
        MissingExtraError: fsspec, or the package for the kind of store, is not installed.
    """
    shown = shown_url(url)
    try:
        import fsspec
    except ImportError as err:
        raise MissingExtraError(f"{doing} {shown} needs fsspec; pip install 'polyrank[remote]'") from err
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as err:
        raise MissingExtraError(f"{doing} {shown} needs another package: {err}") from err
    except ValueError as err:
        raise ConfigError(f"{shown} is no URL that fsspec knows: {err}") from err
    except Exception as err:  # each store has errors of its own
        raise DataError(f"{shown} cannot be reached: {_reason(err)}; check the address and the network") from err
    return system, str(path)


def shown_url(url: str) -> str:
    """Return a URL, or a text that has some, without passwords and signatures."""
    return _SIGNATURE.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))


@contextlib.contextmanager
def _reaching(file: RemotePath) -> Iterator[None]:
    try:
        yield
    except PolyrankError:
        raise
    except FileNotFoundError as err:
        raise DataError(f"{file} does not exist; check its name, and that of the bucket or host") from err
    except PermissionError as err:
        raise DataError(f"{file} may not be read: {_reason(err)}; check the credentials") from err
    except Exception as err:  # each store has errors of its own
        raise DataError(f"{file} cannot be read: {_reason(err)}; check the address and the network") from err


def _raise_cause(err: FileNotFoundError) -> None:
    """Raise why the web does not give a file, which fsspec tells as that there is none, unless there is none."""
    cause = err.__cause__
    is_refused = getattr(cause, "status", 404) != 404  # noqa: PLR2004 (not found)
    is_cut = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    if cause is not None and (is_refused or is_cut):
        raise ConnectionError(_reason(cause)) from err


def _reason(err: BaseException) -> str:
    return shown_url(" ".join(str(err).split())) or type(err).__name__
