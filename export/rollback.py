"""Rolling back: an older version of a model goes live again, under a new number.

Numbers only rise, so a client sees a version that it does not know and reads its schema; the version policy stays what
it is, and the next publish goes on from there. The files are hard links to those of the older version.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from polyrank.arguments import integer
from polyrank.errors import RepositoryError
from polyrank.signature import RAW_SUFFIX
from polyrank.triton_config import read_config

from .bundle import Bundle
from .live_server import LiveServer
from .model_directory import (
    VersionRecord,
    live_versions,
    local_folder,
    newest_record,
    require_model_name,
    versions,
)
from .repository import Published, locked, put, require_server, writing
from .servable import Servable, servable_in


def rollback(
    repository: str | Path, *, name: str, to: int | None = None, server: LiveServer | None = None
) -> Published:
    """Make an older version of a model the live one, with its options of then, but for `specific_versions`.

    Models that were published together go back together; what is returned is the one over rows, and in it the others.
    A raw model that is there by now goes with them, made of the older version over rows.

    Args:
        repository: the model repository.
        name: of the model.
        to: the version to go back to; None is the newest before that whose files are live.
        server: loads and proves it, as in `publish`.

    Raises:
        ConfigError: an argument is of a wrong type.
        RepositoryError: there is no such model or version, it is damaged, or the server did not load or prove it.
        OutputError: the repository cannot be written.
    """
    require_model_name(name)
    require_server(server)
    if to is not None:
        to = integer("to", to, range(1, 2**63), "[1, 2**63)")
    place = local_folder(repository)
    if not place.is_dir():
        raise RepositoryError(f"model repository {place} is not a folder; `polyrank publish` makes one")
    if not (place / name).is_dir():
        raise RepositoryError(f"{place} has no model {name!r}; name one that was published")
    with writing(place / name), locked(place):
        version = _previous(place / name) if to is None else to
        _require_version(place / name, version)
        old = VersionRecord.load(place / name / str(version)).models
        names = (*old, *_raw_since(place, old))
        # One that was not there then is made of the version over rows.
        sources = [each if each in old else old[0] for each in names]
        servables = [_again(place / each, version, of, names) for each, of in zip(sources, names, strict=True)]
        return put(servables, place, keep=None, server=server)


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


def _raw_since(place: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Name the raw model that has come beside these."""
    raw = names[0] + RAW_SUFFIX
    record = None if raw in names else newest_record(place / raw)
    return (raw,) if record is not None and record.models[0] == names[0] else ()


def _again(model: Path, version: int, name: str, names: tuple[str, ...]) -> Servable:
    """Describe an older version of a model as the next one of the model `name`, published with all of `names`."""
    _require_version(model, version)
    folder = model / str(version)
    # Versions that were named for the older one would not make the new one live.
    options = msgspec.structs.replace(
        VersionRecord.load(folder).options, specific_versions=(), raw=names[0] + RAW_SUFFIX in names
    )
    record = VersionRecord(published=datetime.now(UTC), options=options, models=names, origin=origin_of(folder))
    return servable_in(Bundle.load(folder), name, record, is_linked=True)


def _require_version(model: Path, version: int) -> None:
    found = versions(model)
    if version not in found:
        listed = ", ".join(map(str, found)) or "none"
        raise RepositoryError(f"{model} has no version {version}; it has {listed}")
