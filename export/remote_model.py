"""The folder of one model in an object store, as publishing reads and changes it."""

import posixpath
from pathlib import Path
from typing import Any

from polyrank.errors import ConfigError, RepositoryError
from polyrank.triton_config import CONFIG_FILE, parsed_config

from .bundle import MODEL_FILE, SIGNATURE_FILE
from .model_config import config_text
from .model_directory import (
    HIGHEST_FILE,
    RECORD_FILE,
    VersionRecord,
    live_versions,
    parsed_highest,
    version_numbers,
)
from .servable import Servable
from .staged_model import kept_versions, require_same_wire


class RemoteModel:
    """The folder of a model in an object store.

    Args:
        system: an fsspec file system.
        path: of the folder there.

    Attributes:
        path: the same.
    """

    def __init__(self, system: Any, path: str) -> None:
        self._system = system
        self.path = path

    def versions(self) -> list[int]:
        """List the version numbers, ascending, half-uploaded ones included."""
        self._system.invalidate_cache()
        if not self._system.exists(self.path):
            return []
        return version_numbers(
            posixpath.basename(each.rstrip("/")) for each in self._system.ls(self.path, detail=False)
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

    def newest_signature(self) -> bytes | None:
        """Read that of the newest version; None where there is none."""
        found = self.whole_versions()
        text = self._read(posixpath.join(str(found[-1] if found else 0), SIGNATURE_FILE))
        return None if text is None else text.encode()

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
        return config_text(config)

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
            text = config_text(config)
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
        return posixpath.join(self.path, *names)
