"""A file of a store that can be read from anywhere, as Arrow reads Parquet."""

import io
from collections.abc import Sequence

from .remote import RemotePath

TAIL_BYTES = 2**16
"""Of the end of a file, in which its footer mostly lies."""


class RemoteFile(io.RawIOBase):
    """A file of a store for Arrow to read: from what was fetched, and else by a request for each read.

    Args:
        file: which.
        size: in bytes.
    """

    def __init__(self, file: RemotePath, size: int) -> None:
        self._file, self._size, self._at = file, size, 0
        self._parts: list[tuple[int, bytes]] = []
        self.fetch([(max(size - TAIL_BYTES, 0), size)])

    def fetch(self, spans: Sequence[tuple[int, int]]) -> None:
        """Hold the bytes from start to stop of each span, in place of those that were fetched before.

        Raises:
            DataError: the store cannot be reached, or gives other bytes than were asked for.
        """
        self._parts = []  # their memory is free before it is taken again
        starts, stops = [start for start, _ in spans], [stop for _, stop in spans]
        system, path = self._file.system, self._file.path

        def ask() -> list[bytes]:
            found: list[bytes] = system.cat_ranges([path] * len(spans), starts, stops, on_error="raise")
            if [len(part) for part in found] != [stop - start for start, stop in spans]:
                raise ConnectionError("it gave fewer bytes than it has, or more")
            return found

        self._parts = list(zip(starts, self._file.reach(ask), strict=True)) if spans else []

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Let the next read begin elsewhere."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read bytes, up to the end of the file."""
        stop = self._size if size < 0 else min(self._at + size, self._size)
        start, self._at = self._at, max(self._at, stop)
        if stop <= start:
            return b""
        for first, part in self._parts:
            if first <= start and stop <= first + len(part):
                return part[start - first : stop - first]
        return self._ask(start, stop)

    def _ask(self, start: int, stop: int) -> bytes:
        def ask() -> bytes:
            found: bytes = self._file.system.cat_file(self._file.path, start=start, end=stop)
            if len(found) != stop - start:
                raise ConnectionError("it gave fewer bytes than it has, or more")
            return found

        return self._file.reach(ask)
