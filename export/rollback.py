"""Rolling back: an older version of a model goes live again, under a new number.

Numbers only rise, so a client sees a version that it does not know and reads its schema; the version policy stays what
it is, and the next publish goes on from there. The files are hard links to those of the older version.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from polyrank.errors import RepositoryError

from .bundle import Bundle
from .live_server import LiveServer
from .model_directory import VersionRecord, live_versions, local_folder, read_config, require_model_name, versions
from .repository import Published, locked, put, writing
from .servable import Servable, servable_in


def rollback(
    repository: str | Path, *, name: str, to: int | None = None, server: LiveServer | None = None
) -> Published:
    """Make an older version of a model the live one, with its options of then, but for `specific_versions`.

    Models that were published together go back together; what is returned is the one over rows, and in it the other.

    Args:
        repository: the model repository.
        name: of the model.
        to: the version to go back to; None is the newest before that whose files are live.
        server: loads and proves it, as in `publish`.

    Raises:
        RepositoryError: there is no such model or version, it is damaged, or the server did not load or prove it.
        OutputError: the repository cannot be written.
    """
    require_model_name(name)
    place = local_folder(repository)
    if not (place / name).is_dir():
        raise RepositoryError(f"{place} has no model {name!r}; name one that was published")
    with writing(place / name), locked(place):
        version = _previous(place / name) if to is None else to
        _require_version(place / name, version)
        names = VersionRecord.load(place / name / str(version)).models
        return put([_again(place / each, version) for each in names], place, keep=None, server=server)


def origin_of(version: Path) -> int:
    """Return the number of the version that the files of a version come from; its own unless it was a rollback."""
    record = VersionRecord.load(version)
    return int(version.name) if record.origin is None else record.origin


def _previous(model: Path) -> int:
    """Return the newest version before the one whose files are live."""
    found = versions(model)
    live = live_versions(read_config(model), found)
    if not live:
        raise RepositoryError(f"{model} has no live version; say which to go back to")
    origin = origin_of(model / str(max(live)))
    earlier = [number for number in found if number < origin]
    if not earlier:
        raise RepositoryError(f"{model} has no version before {origin}, whose files are live; say which to go back to")
    return earlier[-1]


def _again(model: Path, version: int) -> Servable:
    """Describe an older version as the next one."""
    _require_version(model, version)
    folder = model / str(version)
    record = VersionRecord.load(folder)
    # Versions that were named for the older one would not make the new one live.
    options = msgspec.structs.replace(record.options, specific_versions=())
    record = VersionRecord(published=datetime.now(UTC), options=options, models=record.models, origin=origin_of(folder))
    return servable_in(Bundle.load(folder), model.name, record, is_linked=True)


def _require_version(model: Path, version: int) -> None:
    found = versions(model)
    if version not in found:
        listed = ", ".join(map(str, found)) or "none"
        raise RepositoryError(f"{model} has no version {version}; it has {listed}")
