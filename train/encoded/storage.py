"""Where encoded rows lie."""

from collections.abc import Sequence
from typing import Protocol

from .arrow import checksum
from .identity import digest
from .rows import EncodedRows


class Storage(Protocol):
    """Encoded rows in pieces.

    Attributes:
        lengths: how many rows each piece has.
    """

    @property
    def lengths(self) -> Sequence[int]:
        """How many rows each piece has."""

    def piece(self, index: int) -> EncodedRows:
        """View a piece, without a copy; it is not to be written to."""

    def expect(self, index: int, start: int, stop: int) -> None:
        """Prepare for rows of a piece to be read soon, without waiting for them."""

    def digest(self) -> str:
        """Return hexadecimal digits that stand for the rows."""

    def release(self) -> None:
        """Let go of memory that views of pieces took; it comes back when it is read again."""


class MemoryStorage:
    """Rows in memory, as one piece."""

    def __init__(self, rows: EncodedRows) -> None:
        self._rows = rows
        self.lengths = (len(rows),)

    def piece(self, _index: int) -> EncodedRows:
        """View the rows."""
        return self._rows

    def expect(self, _index: int, _start: int, _stop: int) -> None:
        """Do nothing: the rows are there."""

    def digest(self) -> str:
        """Return hexadecimal digits that stand for the rows."""
        return digest([checksum(self._rows)])

    def release(self) -> None:
        """Do nothing: there is no other copy."""
