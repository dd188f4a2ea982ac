"""One of the files that a path stands for, and what the folders above it say."""

import dataclasses
from collections.abc import Sequence
from typing import Self
from urllib.parse import unquote

from .remote import Location

_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A file, and what the names of its folders say of its rows.

    Attributes:
        file: where it is.
        partition: text by column, from folders such as `date=2026-01-01`; None where they say null.
    """

    file: Location
    partition: dict[str, str | None]

    @classmethod
    def of(cls, file: Location, below: Sequence[str], suffixes: Sequence[str]) -> Self | None:
        """Return a file that was found, with its names `below` the folder that was searched; None where it is no data.

        That is one which ends in none of `suffixes`, or which is hidden, or in a folder that is.
        """
        if not file.name.lower().endswith(tuple(suffixes)) or any(map(is_hidden, below)):
            return None
        pairs = (folder.split("=", 1) for folder in below[:-1] if "=" in folder)
        return cls(file, {unquote(name): None if value == _NULL else unquote(value) for name, value in pairs})


def is_hidden(name: str) -> bool:
    """Recognise what is no data: half-written files, `_SUCCESS`, `_delta_log`; not the partition `_day=1`."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)
