"""A proxy between client and server: a network that is slow, and breaks connections at random bytes."""

import dataclasses
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@dataclasses.dataclass
class FaultyNetwork:
    """Carries bytes to a server and back.

    Attributes:
        port: of the server, on this machine.
        chance: draws what happens.
        break_after: a connection breaks after so many bytes at most, of both directions together; 0 breaks none.
        delay_s: every piece waits so long at most.
        broken: how many connections broke.
    """

    port: int
    chance: random.Random
    break_after: int = 0
    delay_s: float = 0.0
    broken: int = 0

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Give the port of the proxy, until the block ends; what is open then stays so until one side closes it."""
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            try:
                yield int(listener.getsockname()[1])
            finally:
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        left = self.chance.randint(0, self.break_after) if self.break_after else None
        with suppress(OSError), near, socket.create_connection(("127.0.0.1", self.port)) as far:
            link = _Link(near, far, left)
            ways = [
                threading.Thread(target=self._carry, args=(link, *way), daemon=True)
                for way in ((near, far), (far, near))
            ]
            for way in ways:
                way.start()
            for way in ways:  # no socket is closed while a thread reads, which might then read another's
                way.join()

    def _carry(self, link: "_Link", source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                time.sleep(self.chance.uniform(0.0, self.delay_s))
                kept = link.take(len(data))
                sink.sendall(data[:kept])
                if kept < len(data):
                    self.broken += 1
                    link.end(resets=self.chance.random() < 0.5)
                    return
        link.end(resets=False)


class _Link:
    """A connection on both sides, and how many bytes it still carries; None is any number."""

    def __init__(self, near: socket.socket, far: socket.socket, left: int | None) -> None:
        self._both, self._left, self._lock = (near, far), left, threading.Lock()

    def take(self, count: int) -> int:
        """Return how many of so many bytes are still carried."""
        if self._left is None:
            return count
        with self._lock:
            kept = min(count, self._left)
            self._left -= kept
            return kept

    def end(self, *, resets: bool) -> None:
        """Have both threads leave, and both sides meet an end, or a reset once the sockets are closed."""
        for one in self._both:
            with suppress(OSError):
                if resets:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD if resets else socket.SHUT_RDWR)
