"""Byte streams to a server, blocking or for asyncio, behind one set of methods.

The methods of the blocking one are coroutines that never suspend, so that one piece of code speaks HTTP over either.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Protocol, Self

from polyrank.serving.addresses import Address

CHUNK = 1 << 18
_MAX_BUFFERS = 512  # of one call; Linux takes 1024


class Stream(Protocol):
    """A connection. Methods raise OSError, TimeoutError among them."""

    async def send(self, buffers: Sequence[bytes | memoryview], deadline: float) -> None:
        """Send all bytes."""
        ...

    async def receive(self, deadline: float) -> bytes:
        """Return bytes as they come; none where the server has closed."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class BlockingStream:
    """A socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    @classmethod
    async def open(cls, address: Address, context: ssl.SSLContext | None, deadline: float) -> Self:
        """Connect."""
        connection = socket.create_connection((address.bare_host, address.port), _left(deadline))
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                connection = context.wrap_socket(connection, server_hostname=address.bare_host)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    async def send(self, buffers: Sequence[bytes | memoryview], deadline: float) -> None:
        """Send all bytes, without putting them together."""
        self._socket.settimeout(_left(deadline))
        if isinstance(self._socket, ssl.SSLSocket):
            for buffer in buffers:
                self._socket.sendall(buffer)
            return
        waiting = list(buffers)
        sent = self._socket.sendmsg(waiting[:_MAX_BUFFERS])
        while waiting := _unsent(waiting, sent):
            self._socket.settimeout(_left(deadline))
            sent = self._socket.sendmsg(waiting[:_MAX_BUFFERS])

    async def receive(self, deadline: float) -> bytes:
        """Return bytes as they come."""
        self._socket.settimeout(_left(deadline))
        return self._socket.recv(CHUNK)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class AsyncStream:
    """asyncio's pair of reader and writer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, address: Address, context: ssl.SSLContext | None, deadline: float) -> Self:
        """Connect."""
        async with asyncio.timeout(_left(deadline)):
            return cls(*await asyncio.open_connection(address.bare_host, address.port, ssl=context, limit=CHUNK))

    async def send(self, buffers: Sequence[bytes | memoryview], deadline: float) -> None:
        """Send all bytes."""
        self._writer.writelines(buffers)
        async with asyncio.timeout(_left(deadline)):
            await self._writer.drain()

    async def receive(self, deadline: float) -> bytes:
        """Return bytes as they come."""
        async with asyncio.timeout(_left(deadline)):
            return await self._reader.read(CHUNK)

    def close(self) -> None:
        """Close the connection; what is not sent yet is dropped."""
        self._writer.transport.abort()


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
