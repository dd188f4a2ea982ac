"""The live version of the model, and the run that it came from."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import RepositoryError
from polyrank.triton_config import CONFIG_FILE

from .settings import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyrank.export import VersionInfo
    from polyrank.serving import ModelControl


def versions_of(loop: Loop) -> "list[VersionInfo]":
    """Return the versions of the model, the newest first; none where it was never published.

    Raises:
        RepositoryError: one that is live is damaged, or the model's configuration cannot be read.
    """
    from polyrank.export import list_versions

    if not (loop.repository / loop.model / CONFIG_FILE).is_file():
        return []
    found = list_versions(loop.repository, name=loop.model)
    for each in found:
        if each.is_live and each.damage is not None:
            raise RepositoryError(each.damage)
    return found


def live_version(loop: Loop) -> "VersionInfo | None":
    """Return the newest live version of the model; None where there is none.

    Raises:
        RepositoryError: as `versions_of`.
    """
    return newest_live(versions_of(loop))


def newest_live(versions: "Sequence[VersionInfo]") -> "VersionInfo | None":
    """Return the first live one of versions, the newest first; None where there is none."""
    return next((each for each in versions if each.is_live), None)


def superseded(live: "VersionInfo | None", version: int) -> str | None:
    """Say what is live in the place of a version; None while that is."""
    if live is not None and live.version == version:
        return None
    return f"{'no version' if live is None else f'version {live.version}'} is live, and not version {version}"


def folder_of(loop: Loop, version: int) -> Path:
    """Return where a version lies, a bundle too."""
    return loop.repository / loop.model / str(version)


@contextlib.contextmanager
def control(loop: Loop) -> "Iterator[ModelControl | None]":
    """Connect to the server of loop.toml, if it names one, until the block ends."""
    publish = loop.settings.publish
    if publish.server is None:
        yield None
        return
    from polyrank.serving import ClientOptions, ModelControl

    options = None if publish.client is None else ClientOptions.load(loop.path(publish.client))
    with ModelControl(publish.server, timeout_s=publish.timeout_s, options=options) as server:
        yield server
