"""One exchange of HTTP over a stream: the request out, the answer in, however its bytes arrive."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from polyrank.serving.failures import Failure, Kind

from . import http_messages as messages
from .streams import Stream

_MAX_HEAD = 1 << 16
_MAX_LINE = 1 << 12
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


class Answer(NamedTuple):
    """An answer, unpacked."""

    head: messages.Head
    body: bytes | bytearray


async def talk(stream: Stream, buffers: Sequence[bytes | memoryview], deadline: float) -> Answer:
    """Send a request and read the answer.

    Raises:
        OSError: the connection broke, or the time is over.
        Failure: the answer is not HTTP, or too large.
    """
    try:
        await stream.send(buffers, deadline)
    except TimeoutError:
        raise
    except OSError as err:
        # A server that does not want a large body says so before it has read it, and closes.
        try:
            answer = await _read(stream, deadline)
        except OSError:
            raise err from None
        return answer._replace(head=answer.head._replace(keeps_open=False))
    return await _read(stream, deadline)


async def _read(stream: Stream, deadline: float) -> Answer:
    incoming = _Incoming(stream, deadline)
    head = messages.read_head(await incoming.head())
    while 100 <= head.status < 200:  # noqa: PLR2004 (an answer for the time being, such as an early hint)
        head = messages.read_head(await incoming.head())
    if head.is_chunked:
        body: bytes | bytearray = await _chunks(incoming)
    elif head.length is not None:
        messages.require_bounded(head.length)
        body = await incoming.exactly(head.length)
    else:
        body = await incoming.until_closed()
        head = head._replace(keeps_open=False)
    if not incoming.is_empty:  # what comes next would be taken for the answer to the next request
        head = head._replace(keeps_open=False)
    return Answer(head, messages.unpacked(body, head.encoding))


async def _chunks(incoming: "_Incoming") -> bytearray:
    """Read a body in chunks, as a proxy may send it."""
    body = bytearray()
    while True:
        line = await incoming.line()
        number = line.split(b";")[0].strip()
        if not _SIZE.fullmatch(number):
            raise Failure(Kind.BROKEN, f"the answer is not HTTP: a chunk of {line[:40]!r}")
        size = int(number, 16)
        messages.require_bounded(len(body) + size)
        if size == 0:
            break
        body += await incoming.exactly(size)
        if await incoming.exactly(2) != b"\r\n":
            raise Failure(Kind.BROKEN, f"the answer is not HTTP: a chunk of {size} bytes without its end")
    while await incoming.line():
        pass  # headers may follow, which say nothing that we need
    return body


class _Incoming:
    """The bytes of one answer, as they come."""

    def __init__(self, stream: Stream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline
        self._data = b""

    @property
    def is_empty(self) -> bool:
        """Whether all that has come is read."""
        return not self._data

    async def head(self) -> bytes:
        """Return the head, without the empty line at its end."""
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            if len(self._data) > _MAX_HEAD:
                raise Failure(Kind.BROKEN, f"the answer is not HTTP: a head above {_MAX_HEAD} bytes")
            if not b"HTTP/1.".startswith(self._data[:7]):
                raise messages.foreign(self._data)
            self._data += await self._more()
        return self._taken(end, 4)

    async def line(self) -> bytes:
        """Return a line, without its end."""
        while (end := self._data.find(b"\r\n")) < 0:
            if len(self._data) > _MAX_LINE:
                raise Failure(Kind.BROKEN, f"the answer is not HTTP: a chunk of {self._data[:40]!r}")
            self._data += await self._more()
        return self._taken(end, 2)

    async def exactly(self, length: int) -> bytes | bytearray:
        """Return so many bytes."""
        if len(self._data) >= length:
            return self._taken(length, 0)
        found, self._data = bytearray(self._data), b""
        while len(found) < length:
            found += await self._more()
        if len(found) > length:
            self._data = bytes(memoryview(found)[length:])
            del found[length:]
        return found

    async def until_closed(self) -> bytearray:
        """Return all that comes."""
        found, self._data = bytearray(self._data), b""
        while True:
            messages.require_bounded(len(found))
            data = await self._stream.receive(self._deadline)
            if not data:
                return found
            found += data

    async def _more(self) -> bytes:
        data = await self._stream.receive(self._deadline)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data

    def _taken(self, length: int, passed_over: int) -> bytes:
        found, self._data = self._data[:length], self._data[length + passed_over :]
        return found
