"""What the directory of one model in a Triton repository holds, and what its versions say of themselves."""

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from polyrank.arguments import path, text
from polyrank.arguments import shown as short
from polyrank.decoding import decode_json
from polyrank.errors import RepositoryError
from polyrank.files import local_path
from polyrank.reasons import system_reason

from .bundle import MODEL_FILE
from .serving_options import ServingOptions

RECORD_FILE = "version.json"
HIGHEST_FILE = ".highest_version"
"""Holds the highest version number that a model ever had. Triton reads folders there, and no other file."""

MAX_NAME_LENGTH = 128


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a version came about; written beside its model file.

    Attributes:
        published: when, in UTC.
        options: how Triton runs it.
        models: names of the models that were published together, this one included.
        origin: the version that a rollback took the files from; None of a version from a bundle.
    """

    published: datetime
    options: ServingOptions
    models: tuple[str, ...]
    origin: int | None = None

    def to_json(self) -> str:
        """Write the record."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"

    @classmethod
    def load(cls, version: Path) -> Self:
        """Read the record of a version folder.

        Raises:
            RepositoryError: there is none, or it cannot be read.
        """
        try:
            return cls.parse((version / RECORD_FILE).read_bytes(), version / RECORD_FILE)
        except FileNotFoundError as err:
            raise RepositoryError(
                f"{version} has no {RECORD_FILE}: an earlier Polyrank published it; publish its bundle again"
            ) from err
        except OSError as err:
            raise RepositoryError(f"{version / RECORD_FILE} cannot be read: {system_reason(err)}") from err

    @classmethod
    def parse(cls, text: bytes, shown: object) -> Self:
        """Read a record from JSON.

        Raises:
            RepositoryError: it is none.
        """
        try:
            found = decode_json(text, cls)
        except msgspec.DecodeError as err:
            raise RepositoryError(f"{shown} cannot be read: {err}; publish its bundle again") from err
        if not found.models:
            raise RepositoryError(f"{shown} names no model; publish its bundle again")
        for name in found.models:
            require_model_name(name)  # a rollback goes where they lead
        return found


def require_model_name(name: str) -> None:
    """Refuse what is no name of a model.

    Raises:
        ConfigError: it is no text.
        RepositoryError: it is too long, or has other characters.
    """
    text("name", name)
    if len(name) > MAX_NAME_LENGTH or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise RepositoryError(
            f"model name must be letters, digits, '_' or '-', the first a letter or digit, "
            f"at most {MAX_NAME_LENGTH} long, got {name!r}"
        )


def is_remote(repository: str | Path) -> bool:
    """Say whether a repository is a URL of a store, and no folder."""
    return isinstance(repository, str) and "://" in repository and not repository.startswith("file://")


def local_folder(repository: str | Path) -> Path:
    """Return the path of a repository without links, which may be a `file://` URL.

    Raises:
        ConfigError: it is no path.
        RepositoryError: it is the URL of a store.
    """
    path("repository", repository)
    if is_remote(repository):
        raise RepositoryError(f"{repository} is a URL, a folder is expected; publish_remote sends a bundle to a URL")
    return local_path(repository).resolve()


def version_numbers(names: Iterable[str]) -> list[int]:
    """Pick the names that are version numbers, ascending."""
    return sorted(int(name) for name in names if re.fullmatch(r"[1-9][0-9]*", name))


def versions(model: Path) -> list[int]:
    """List the versions in a model directory, ascending: folders of a number that hold a model."""
    return [number for number in _numbers(model) if (model / str(number) / MODEL_FILE).is_file()]


def _numbers(model: Path) -> list[int]:
    return version_numbers(entry.name for entry in model.iterdir()) if model.is_dir() else []


def newest_record(model: Path) -> VersionRecord | None:
    """Read the record of the newest version in a model directory; None where there is no version, or none of ours.

    Raises:
        RepositoryError: it cannot be read.
    """
    found = versions(model)
    record = model / str(found[-1] if found else 0) / RECORD_FILE
    return VersionRecord.load(record.parent) if record.is_file() else None


def highest_version(model: Path) -> int:
    """Return the highest number that a version of the model ever had, 0 when it had none."""
    file = model / HIGHEST_FILE
    return max([*_numbers(model), parsed_highest(_text_of(file), file)])


def _text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="backslashreplace") if file.is_file() else ""


def parsed_highest(held: str, shown: object) -> int:
    """Read the content of the file of the highest number; nothing is 0.

    Raises:
        RepositoryError: it is no number.
    """
    if not re.fullmatch(r"[0-9]{0,18}\s*", held):
        raise RepositoryError(
            f"{shown} must hold the highest version number that the model ever had, of at most 18 digits, got "
            f"{short(held.strip())}; write it there, or remove the file, and numbers of removed versions may come again"
        )
    return int(held.strip() or 0)


def live_versions(config: Any, numbers: Iterable[int]) -> set[int]:
    """Return which of these versions a server serves under the version policy of a configuration."""
    present, policy = sorted(numbers), config.version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return set(present)
    if choice == "specific":
        return set(policy.specific.versions) & set(present)
    return set(present[-max(policy.latest.num_versions, 1) :])
