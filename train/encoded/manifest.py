"""What a folder of shards says of itself: which files they are, and in which way their rows were encoded."""

import json
from pathlib import Path
from typing import Any, Self

import msgspec

from polyrank.decoding import decode_json
from polyrank.errors import DataError
from polyrank.reasons import system_reason
from polyrank.schema import Schema
from polyrank.train.config import TrainConfig
from polyrank.train.json_difference import ABSENT, first_difference

from .identity import digest, made_of

MANIFEST = "shards.json"

ANEW = "encode the rows anew with polyrank.spark.encode"


class Shard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: its name, how large it is, and a digest of the checksums that its rows were written with."""

    file: str
    num_rows: int
    size_bytes: int
    digest: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All files, in the order of their rows, and the way in which these were encoded; see `way_of`."""

    way: dict[str, Any]
    shards: tuple[Shard, ...]

    def write(self, folder: Path) -> None:
        """Write the file that makes a folder one of shards."""
        text = msgspec.json.format(msgspec.json.encode(self)).decode()
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the file of a folder, None where there is none.

        Raises:
            DataError: it cannot be read, or is something else.
        """
        file = folder / MANIFEST
        try:
            return decode_json(file.read_bytes(), cls)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as err:
            raise DataError(f"{file} cannot be read: {system_reason(err)}") from err
        except msgspec.DecodeError as err:
            raise DataError(f"{file} is no list of shards: {err}; {ANEW}") from err


def way_of(schema: Schema, config: TrainConfig) -> dict[str, Any]:
    """Describe how rows are encoded, as for the cache, but for what only the reading of files looks at."""
    described = made_of(schema, config)
    for name in ("polyrank", "encoding"):
        del described[name]
    found: dict[str, Any] = json.loads(json.dumps(described))
    return found


def described_by(way: dict[str, Any]) -> dict[str, Any]:
    """Return what a shard says of itself: that it was encoded in this way."""
    return {"way": digest(way)}


def difference_of(written: Any, wanted: Any) -> str | None:
    """Say where two values of JSON first differ, as in `$.name is "a" there and "b" here`; None where they do not."""
    found = first_difference(written, wanted)
    return None if found is None else f"{found.path} is {_told(found.there)} there and {_told(found.here)} here"


def _told(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    return f"{len(value)} long" if isinstance(value, list) else json.dumps(value)
