"""What a command finds, as a file of JSON that another reads."""

from pathlib import Path
from typing import ClassVar, Self

import msgspec

from polyrank.arguments import path
from polyrank.decoding import decode_json
from polyrank.errors import DataError
from polyrank.reasons import system_reason
from polyrank.staging import staged_file


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """What answered rows.

    Attributes:
        source: as it was named: a directory, or the address of a server.
        name: of the schema, or of the model on its server.
        run_id: content hash of the training run.
        version: on a server, or of a published bundle; empty otherwise.
    """

    source: str
    name: str
    run_id: str
    version: str = ""


class ResultFile:
    """What a command finds: a mixin of a `msgspec.Struct` with the format of its file."""

    noun: ClassVar[str]
    """What it is called."""

    verb: ClassVar[str]
    """The command that makes it."""

    remedy: ClassVar[str] = ""
    """What to do about a file that is damaged; by default, to make one with that command."""

    newest: ClassVar[int]
    """The format that is written, the only one that is read."""

    format: int

    def to_json(self) -> str:
        """Write all as JSON."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"

    def save(self, file: str | Path) -> None:
        """Write a file, whole or not at all.

        Raises:
            ConfigError: `file` is no path.
            OutputError: it cannot be written.
        """
        with staged_file(path("file", file)) as partial:
            partial.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, file: str | Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            ConfigError: `file` is no path.
            DataError: it cannot be read, or is something else.
        """
        try:
            found = decode_json(path("file", file).read_bytes(), cls)
        except OSError as err:
            raise DataError(f"{file} cannot be read: {system_reason(err)}") from err
        except msgspec.DecodeError as err:
            remedy = cls.remedy or f"make one with: polyrank {cls.verb}"
            raise DataError(f"{file} is no {cls.noun}: {err}; {remedy}") from err
        if found.format != cls.newest:
            remedy = cls.remedy or f"make one with this Polyrank: polyrank {cls.verb}"
            raise DataError(f"{file} is of format {found.format}, {cls.newest} expected; {remedy}")
        return found
