"""The next state of one model's directory: built where no server looks, proven, put in place by one system call."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from polyrank.errors import ConfigError, RepositoryError
from polyrank.signature import Signature
from polyrank.staging import flush, flush_tree
from polyrank.triton_config import CONFIG_FILE, parsed_config, read_config

from .bundle import MODEL_FILE, SIGNATURE_FILE, require_golden
from .exchange import exchange
from .model_config import signature_text
from .model_directory import HIGHEST_FILE, RECORD_FILE, live_versions, versions
from .servable import Servable


class StagedModel:
    """A model directory that is built in `stage` and exchanged with the one at `place`.

    Args:
        stage: an empty directory on the same file system, which the caller removes.
        place: `<repository>/<model>`.

    Attributes:
        was_there: whether the model had a version before.
    """

    def __init__(self, stage: Path, place: Path) -> None:
        self.place = place
        self.built = stage / place.name
        self.was_there = place.exists()

    def build(self, servable: Servable, version: int, *, keep: int | None) -> None:
        """Add a version to a copy of the directory in place, and prove it.

        Args:
            servable: what the version is.
            version: its number.
            keep: how many of the newest versions stay; None keeps all.

        Raises:
            RepositoryError: the place is taken by something else, the files do not answer golden rows, or other
                versions that would be live take or give other tensors.
        """
        if self.was_there and not (self.place / CONFIG_FILE).is_file():
            raise RepositoryError(f"{self.place} exists and is no model: it has no {CONFIG_FILE}; move it away")
        numbers = [*versions(self.place), version]
        config = parsed_config(servable.config, self.place / CONFIG_FILE)
        self._link(kept_versions(numbers, live_versions(config, numbers), keep))
        folder = self.built / str(version)
        write_version(folder, servable)
        self._write(CONFIG_FILE, servable.config)
        self._write(HIGHEST_FILE, f"{version}\n")
        # Another, for when the version is taken back: there may be no room on the disk by then.
        (self.built.parent / HIGHEST_FILE).write_text(f"{version}\n", encoding="utf-8")
        self._require_policy(servable, config, version)
        prove_version(folder, servable)
        flush_tree(self.built.parent)

    def build_without_old(self, keep: int) -> None:
        """Copy the directory in place without all but the newest versions and those that are live."""
        found = versions(self.place)
        self._link(kept_versions(found, live_versions(read_config(self.place), found), keep))
        flush_tree(self.built.parent)

    def apply(self) -> None:
        """Put the built directory in place; what was there is kept until the stage is removed. The caller flushes."""
        exchange(self.built, self.place)

    def undo(self) -> None:
        """Put back what was in place; the number of the version is spent all the same.

        Of a model that had no version nothing is left.
        """
        if self.was_there:
            (self.built.parent / HIGHEST_FILE).replace(self.built / HIGHEST_FILE)
            flush(self.built)
            exchange(self.built, self.place)
        else:
            self.place.rename(self.built)
        flush(self.place.parent)

    def _link(self, kept: Collection[int]) -> None:
        """Copy the directory in place with hard links, without versions that are not kept."""
        if not self.was_there:
            return
        dropped = {str(number) for number in versions(self.place) if number not in kept}

        def left_out(folder: str, _names: list[str]) -> Collection[str]:
            return dropped if Path(folder) == self.place else ()

        shutil.copytree(self.place, self.built, copy_function=_link_or_copy, ignore=left_out)

    def _write(self, name: str, text: str) -> None:
        """Write a new file, never through a link: the directory in place stays what it is until the exchange."""
        (self.built / name).unlink(missing_ok=True)
        (self.built / name).write_text(text, encoding="utf-8")

    def _require_policy(self, servable: Servable, config: object, version: int) -> None:
        """Refuse a configuration that not every live version fits."""
        found = versions(self.built)
        absent = sorted(set(servable.record.options.specific_versions) - set(found))
        if absent:
            raise ConfigError(
                f"specific_versions must be versions of {self.place.name}, which are {_listed(found)}, "
                f"got {_listed(absent)}"
            )
        for other in sorted(live_versions(config, found) - {version}):
            file = self.built / str(other) / SIGNATURE_FILE
            require_same_wire(servable, version, other, file.read_bytes() if file.is_file() else None)


def write_version(folder: Path, servable: Servable) -> None:
    """Make a version folder and write its files."""
    folder.mkdir(parents=True)
    copy = _link_or_copy if servable.is_linked else shutil.copyfile
    for name, source in servable.files.items():
        copy(str(source), str(folder / name))
    (folder / RECORD_FILE).write_text(servable.record.to_json(), encoding="utf-8")


def prove_version(folder: Path, servable: Servable) -> None:
    """Answer golden rows with the model file of a version folder.

    Raises:
        RepositoryError: it answers otherwise, or does not load.
    """
    require_golden(servable.golden, folder / MODEL_FILE, shown=servable.files[MODEL_FILE])


def require_same_wire(servable: Servable, version: int, other: int, signature: bytes | None) -> None:
    """Refuse that a version is live beside another that clients speak to differently.

    Args:
        servable: what the version is.
        version: its number.
        other: the number of the other.
        signature: the text of its signature; None where it has none.

    Raises:
        RepositoryError: it takes other features, or gives other answers.
    """
    own = Signature.from_json(signature_text(servable.graph)).wire()
    if signature is None or Signature.from_json(signature).wire() != own:
        raise RepositoryError(
            f"version {other} of {servable.name} takes other features or gives other answers than version {version}, "
            f"and one configuration speaks for all live versions; publish with latest_versions = 1"
        )


def lost_answers(servable: Servable, before: bytes | None) -> str:
    """Say which answers of the version before a new one does not give.

    Args:
        servable: what the new version is.
        before: the text of the signature of the version before; None where there is none.

    Returns:
        One line; "" where no answer goes, or nobody can say.
    """
    try:
        answers = [] if before is None else Signature.from_json(before).outputs
    except RepositoryError:  # it is of another version of Polyrank
        return ""
    lost = sorted(set(answers) - set(Signature.from_json(signature_text(servable.graph)).outputs))
    if not lost:
        return ""
    return f"{servable.name} no longer answers {', '.join(lost)}, which the version before did: callers miss it"


def kept_versions(found: Collection[int], live: Collection[int], keep: int | None) -> set[int]:
    """Return the versions that stay: the newest `keep`, or all, and those that are live."""
    newest = sorted(found)
    return {*(newest if keep is None else newest[-keep:]), *live}


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(map(str, numbers))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
