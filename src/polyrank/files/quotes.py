"""Quotes of CSV text that never close, found while the text passes by.

Arrow takes the end of the file for a closing quote, and text after a closing quote as part of the value. So one quote
too few or too many makes a value of the rows that follow, without an error.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

QUOTE = 0x22
_BOM = b"\xef\xbb\xbf"
_IS_EDGE = np.zeros(256, np.bool_)
_IS_EDGE[list(b",\r\n")] = True
_IS_EDGE_OR_QUOTE = _IS_EDGE.copy()
_IS_EDGE_OR_QUOTE[QUOTE] = True


@dataclasses.dataclass(frozen=True, slots=True)
class OpenQuote:
    """A quote whose value ends where no value can end.

    Attributes:
        start: the position of the quote in the text, in bytes.
        end: the position of the quote that ends the value, with text after it; None at the end of the text.
    """

    start: int
    end: int | None


class QuoteScanner:
    """Reads text in pieces, and knows whether a quoted value is open.

    As in Arrow, a quote opens a value where a field starts, two quotes stand for one inside it, and a quote in the
    middle of a value without quotes (`5" pipe`) is text. Text after a closing quote is let through where the value is
    of one line.
    """

    def __init__(self) -> None:
        self._held = b""  # quotes at the end of a piece: what they mean shows in the next
        self._offset = 0
        self._before = ord("\n")
        self._start: int | None = None
        self._spans_lines = False

    def scan(self, piece: bytes) -> OpenQuote | None:
        """Read on; return the first value of several lines that has text after its closing quote."""
        if self._offset == 0 and not self._held and piece.startswith(_BOM):
            self._offset, piece = len(_BOM), piece[len(_BOM) :]
        text = self._held + piece
        body = text.rstrip(b'"') if text.endswith(b'"') else text
        self._held = text[len(body) :]
        # The quotes that are held wait with the byte before them, which says whether they start a field.
        return self._read(body) if body else None

    def finish(self) -> OpenQuote | None:
        """Read what is held; return the value that is open at the end of the text."""
        found = self._read(self._held + b"\n")
        return found or (None if self._start is None else OpenQuote(self._start, None))

    def _read(self, text: bytes) -> OpenQuote | None:
        found = self._read_quotes(text) if b'"' in text else None
        if self._start is not None and not self._spans_lines:
            self._spans_lines = _has_line_break(text, max(self._start - self._offset, 0), len(text))
        self._offset += len(text)
        self._before = text[-1]
        return found

    def _read_quotes(self, text: bytes) -> OpenQuote | None:
        is_open = self._start is not None
        quotes = _Quotes(np.frombuffer(text, np.uint8), self._before, is_open=is_open)
        if not quotes.are_paired():
            return self._walk(text, quotes)
        if (len(quotes.at) + is_open) % 2 == 0:
            self._start = None
        elif (last := quotes.last_opening()) is not None:
            self._start, self._spans_lines = self._offset + last, False
        return None

    def _walk(self, text: bytes, quotes: "_Quotes") -> OpenQuote | None:
        """Go from value to value, for text that has quotes in odd places."""
        for is_opening, at in quotes.values():
            if is_opening:
                self._start, self._spans_lines = self._offset + at, False
                continue
            start, self._start = self._start or 0, None
            spans_lines = self._spans_lines or _has_line_break(text, max(start - self._offset, 0), at)
            if spans_lines and not _IS_EDGE[text[at + 1]]:
                return OpenQuote(start, self._offset + at)
        return None


class _Quotes:
    """The quotes of a piece that does not end with one, each with the bytes beside it."""

    def __init__(self, text: NDArray[np.uint8], before: int, *, is_open: bool) -> None:
        self.at = np.flatnonzero(text == QUOTE)
        self._text = text
        self._is_open = is_open
        self._first = before  # what stands before the text

    def are_paired(self) -> bool:
        """Say whether each quote opens where a field starts, closes where one ends, or is one of two for a quote."""
        before, after = self._before(self.at[self._is_open :: 2]), self._text[self.at[not self._is_open :: 2] + 1]
        return bool(_IS_EDGE_OR_QUOTE.take(before).all() and _IS_EDGE_OR_QUOTE.take(after).all())

    def last_opening(self) -> int | None:
        """Return the position of the last quote that opens a value, where quotes are paired."""
        opening = self.at[self._is_open :: 2]
        found = opening[_IS_EDGE[self._before(opening)]]
        return int(found[-1]) if len(found) else None

    def values(self) -> Iterator[tuple[bool, int]]:
        """Yield the positions where values open (True) and close (False), in turn."""
        is_open, openings = self._is_open, np.flatnonzero(_IS_EDGE[self._before(self.at)]).tolist()
        if not openings and not is_open:
            return
        at, doubled = self.at.tolist(), (self._text[self.at + 1] == QUOTE).tolist()
        index, next_opening = 0, iter(openings)
        while True:
            if not is_open:
                index = next((one for one in next_opening if one >= index), len(at))
                if index == len(at):
                    return
                yield True, at[index]
                index += 1
            while index < len(at) and doubled[index]:
                index += 2
            if index >= len(at):
                return
            yield False, at[index]
            index, is_open = index + 1, False

    def _before(self, at: NDArray[np.int64]) -> NDArray[np.uint8]:
        before = self._text[at - 1]
        if len(at) and at[0] == 0:
            before[0] = self._first
        return before


def _has_line_break(text: bytes, start: int, end: int) -> bool:
    return text.find(b"\n", start, end) >= 0 or text.find(b"\r", start, end) >= 0
