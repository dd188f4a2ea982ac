"""Tensors that a server on the same machine reads where the client has written them.

A region is a file in Linux's shared memory, mapped by the client and, when it is registered, by the server. Its name is
removed as soon as both have it, so that a client that is killed leaves no file. The server keeps its mapping until the
region is unregistered: by the client, or by an embedded server that sees that the client is gone.
"""

import contextlib
import mmap
import os
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .regions import SHARED_MEMORY, region_name

SHORTEST = 1 << 16
"""Bytes of a request below which a socket is as fast (`benchmarks/serve.py latency`)."""

_ALIGNMENT = 64


class Place(NamedTuple):
    """Where a tensor lies in a region, in bytes."""

    offset: int
    size: int


class Region:
    """Memory that two processes see.

    Args:
        size: in bytes; a power of two at least as large is taken, so that regions fit further requests.

    Raises:
        OSError: there is no shared memory, or not enough of it.
    """

    def __init__(self, size: int) -> None:
        self.name = region_name()
        self.size = 1 << max(size - 1, 1).bit_length()
        self._file = SHARED_MEMORY / self.name
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self.size)  # a full shared memory is an error here, not a signal later
            self._memory = mmap.mmap(descriptor, self.size)
        except OSError:
            self.forget_name()
            raise
        finally:
            os.close(descriptor)
        self._bytes = np.frombuffer(self._memory, np.uint8)

    @property
    def key(self) -> str:
        """The name as `shm_open` takes it."""
        return f"/{self.name}"

    def forget_name(self) -> None:
        """Remove the name; the memory lives on while it is mapped."""
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()

    def write(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, Place]:
        """Copy tensors one after another, and return where they lie."""
        places, start = {}, 0
        for name, tensor in tensors.items():
            size = tensor.nbytes
            self._bytes[start : start + size] = tensor.reshape(-1).view(np.uint8)
            places[name] = Place(start, size)
            start += -(-size // _ALIGNMENT) * _ALIGNMENT
        return places

    def close(self) -> None:
        """Unmap the memory."""
        self.forget_name()
        del self._bytes
        self._memory.close()


def room_for(tensors: Mapping[str, NDArray[Any]]) -> int:
    """Return how many bytes `Region.write` takes."""
    return sum(-(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT for tensor in tensors.values())


class Regions:
    """Regions that one server has registered, for requests one after another; each is of one request at a time.

    Safe to share between threads.

    Args:
        kept: how many idle ones are kept at most.
    """

    def __init__(self, kept: int) -> None:
        self._kept, self._is_closed = kept, False
        self._idle: list[Region] = []
        self._lock, self._process = threading.Lock(), os.getpid()

    def take(self, size: int) -> Region | None:
        """Return an idle region of this size; None where there is none."""
        with self._own():
            for place in reversed(range(len(self._idle))):  # what was used last is in the processor's caches
                if self._idle[place].size >= size:
                    return self._idle.pop(place)
        return None

    def give_back(self, region: Region) -> bool:
        """Keep a region for the next request; say whether it is kept: not of a client that is closed, or has enough."""
        with self._own():
            is_kept = not self._is_closed and len(self._idle) < self._kept
            if is_kept:
                self._idle.append(region)
        return is_kept

    def close(self) -> list[Region]:
        """Keep no region any more, and return those that were kept."""
        with self._own():
            self._is_closed = True
            found, self._idle = self._idle, []
        return found

    def _own(self) -> threading.Lock:
        """Return the lock; a child of a fork begins anew, since lock and regions are the parent's."""
        if self._process != os.getpid():
            self._idle = []
            self._lock, self._process = threading.Lock(), os.getpid()
        return self._lock
