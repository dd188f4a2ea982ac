"""What a repository holds: the versions of its models, what each was trained to, and which are live."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from polyrank.errors import RepositoryError
from polyrank.run_record import RunRecord
from polyrank.signature import Signature
from polyrank.triton_config import CONFIG_FILE, read_config

from .bundle import SIGNATURE_FILE
from .model_directory import RECORD_FILE, VersionRecord, live_versions, local_folder, versions


class VersionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a repository.

    Attributes:
        model: name of the model.
        version: its number.
        is_live: whether a server serves it under the version policy.
        run_id: content hash of the run; None of a version from an earlier Polyrank, as with all that may be None.
        published: when, in UTC.
        origin: the version that a rollback took the files from.
        size_bytes: of its files; those of a rollback are on the disk once.
        validation: metrics of the run's validation rows, by task.
        damage: what cannot be read of it; None of a version that is whole as far as its records go.
    """

    model: str
    version: int
    is_live: bool
    run_id: str | None
    published: datetime | None
    origin: int | None
    size_bytes: int
    validation: dict[str, dict[str, float | None]]
    damage: str | None = None


def list_versions(repository: str | Path, *, name: str | None = None) -> list[VersionInfo]:
    """List the versions in a repository, by model, the newest first.

    Args:
        repository: the model repository.
        name: of one model; None lists all.

    Raises:
        RepositoryError: there is no repository or no such model, or the configuration of a model cannot be read.
    """
    place = local_folder(repository)
    if not place.is_dir():
        raise RepositoryError(f"model repository {place} is not a folder; `polyrank publish` makes one")
    models = sorted(each for each in place.iterdir() if (each / CONFIG_FILE).is_file())
    if name is not None:
        models = [each for each in models if each.name == name]
        if not models:
            raise RepositoryError(f"{place} has no model {name!r}; name one that was published")
    return [info for model in models for info in _versions_of(model)]


def _versions_of(model: Path) -> list[VersionInfo]:
    found = versions(model)
    live = live_versions(read_config(model), found)
    return [_info(model, number, is_live=number in live) for number in reversed(found)]


def _info(model: Path, number: int, *, is_live: bool) -> VersionInfo:
    folder = model / str(number)
    damage = None
    record: VersionRecord | None = None
    run: RunRecord | None = None
    run_id: Any = None
    try:
        record = VersionRecord.load(folder) if (folder / RECORD_FILE).is_file() else None
        run, signed = RunRecord.load(folder), folder / SIGNATURE_FILE
        run_id = Signature.from_json(signed.read_bytes()).run_id if signed.is_file() else None
    except RepositoryError as err:
        damage = str(err)
    return VersionInfo(
        model=model.name,
        version=number,
        is_live=is_live,
        run_id=run_id,
        published=None if record is None else record.published,
        origin=None if record is None else record.origin,
        size_bytes=sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()),
        validation={} if run is None else run.validation,
        damage=damage,
    )
