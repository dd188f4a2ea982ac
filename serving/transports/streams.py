"""Byte streams to a server, blocking or for asyncio, behind one set of methods.

The methods of the blocking one are coroutines that never suspend, so that one piece of code speaks HTTP over either.
"""

import asyncio
import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar

from polyrank.serving.addresses import Address

T = TypeVar("T")

# Above 128 KB malloc may give each buffer back to the system, which costs a call 35 µs in page faults (x86-64 VM).
CHUNK = 1 << 16
_MAX_BUFFERS = 512  # of one call; Linux takes 1024


class Stream(Protocol):
    """A connection. Methods raise OSError, TimeoutError among them."""

    async def send(self, buffers: Sequence[bytes | memoryview], deadline: float) -> None:
        """Send all bytes."""
        ...

    async def receive(self, deadline: float) -> bytes:
        """Return bytes as they come; none where the server has closed."""
        ...

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer: neither its end nor words that nobody asked for."""
        ...

    def close(self) -> None:
        """Close the connection; what is not sent yet is dropped."""
        ...


class BlockingStream:
    """A socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._poll = _poll(connection)

    @classmethod
    async def open(cls, address: Address, context: ssl.SSLContext | None, deadline: float) -> Self:
        """Connect."""
        connection = socket.create_connection((address.bare_host, address.port), _left(deadline))
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(_left(deadline))
            if context is not None:
                connection = context.wrap_socket(connection, server_hostname=address.bare_host)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    async def send(self, buffers: Sequence[bytes | memoryview], deadline: float) -> None:
        """Send all bytes, without putting them together."""
        is_encrypted = isinstance(self._socket, ssl.SSLSocket)
        waiting = list(buffers)
        while waiting:
            self._socket.settimeout(_left(deadline))
            if is_encrypted:
                sent = self._socket.send(memoryview(waiting[0])[:CHUNK])
            else:
                sent = self._socket.sendmsg(waiting[:_MAX_BUFFERS])
            waiting = _unsent(waiting, sent)

    async def receive(self, deadline: float) -> bytes:
        """Return bytes as they come."""
        self._socket.settimeout(_left(deadline))
        return self._socket.recv(CHUNK)

    def is_quiet(self) -> bool:
        """Whether nothing has come."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class AsyncStream:
    """A socket without blocking, which no loop owns: it serves one that runs now, and another later."""

    def __init__(self, connection: socket.socket, tls: "_Tls | None") -> None:
        self._socket, self._tls = connection, tls
        self._poll = _poll(connection)

    @classmethod
    async def open(cls, address: Address, context: ssl.SSLContext | None, deadline: float) -> Self:
        """Connect."""
        async with asyncio.timeout(_left(deadline)):
            connection = await _connected(address)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                tls = None if context is None else _Tls(connection, context, address.bare_host)
                if tls is not None:
                    await tls.handshake()
            except BaseException:
                connection.close()
                raise
        return cls(connection, tls)

    async def send(self, buffers: Sequence[bytes | memoryview], deadline: float) -> None:
        """Send all bytes."""
        async with asyncio.timeout(_left(deadline)):
            if self._tls is not None:
                await self._tls.send(buffers)
                return
            try:
                sent = self._socket.sendmsg(buffers[:_MAX_BUFFERS])
            except BlockingIOError:
                sent = 0
            for buffer in _unsent(list(buffers), sent):
                await asyncio.get_running_loop().sock_sendall(self._socket, buffer)

    async def receive(self, deadline: float) -> bytes:
        """Return bytes as they come."""
        async with asyncio.timeout(_left(deadline)):
            if self._tls is not None:
                return await self._tls.receive()
            return await asyncio.get_running_loop().sock_recv(self._socket, CHUNK)

    def is_quiet(self) -> bool:
        """Whether nothing has come."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class _Tls:
    """TLS over a socket of asyncio, in memory: asyncio's own belongs to one loop."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._socket = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def handshake(self) -> None:
        """Agree on keys, and look at the server's certificate."""
        await self._do(self._object.do_handshake)

    async def send(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Send all bytes."""
        for buffer in buffers:
            view = memoryview(buffer)
            while view:
                view = view[await self._do(self._object.write, view[:CHUNK]) :]

    async def receive(self) -> bytes:
        """Return bytes as they come; none where the server has closed."""
        try:
            return await self._do(self._object.read, CHUNK)
        except ssl.SSLZeroReturnError:
            return b""

    async def _do(self, step: Callable[..., T], *arguments: Any) -> T:
        """Take a step of the protocol, and send and receive what it takes."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = step(*arguments)
            except ssl.SSLWantReadError:
                await self._flush()
                if data := await loop.sock_recv(self._socket, CHUNK):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                await self._flush()  # the server is told why
                raise
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await asyncio.get_running_loop().sock_sendall(self._socket, data)


async def _connected(address: Address) -> socket.socket:
    """Return a socket that is connected to the first place of a host that answers.

    Raises:
        OSError: none does.
    """
    loop = asyncio.get_running_loop()
    try:  # numbers need no thread to look them up in
        places = socket.getaddrinfo(
            address.bare_host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        places = await loop.getaddrinfo(address.bare_host, address.port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for family, kind, protocol, _, place in places:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(0.0)
            await loop.sock_connect(connection, place)
        except OSError as err:
            connection.close()
            failure = err
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


def _poll(connection: socket.socket) -> select.poll:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return poll


def _unsent(buffers: list[bytes | memoryview], sent: int) -> list[bytes | memoryview]:
    """Return what is left of buffers of which `sent` bytes are gone."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[index + 1 :]]
        sent -= len(buffer)
    return []


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
