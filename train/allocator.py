"""Memory that a step frees and the next one needs: kept, where the C library would hand it back to the system."""

import contextlib
import ctypes
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGEST_KEPT = 32 * 2**20
_MOST_KEPT = 256 * 2**20
_MOST_KEPT_AFTER = 2 * _LARGEST_KEPT
"""Where glibc's own limits end that grow with what is freed; the first call of mallopt stops them from growing."""


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Keep up to 256 MiB that blocks of up to 32 MiB leave free, inside the block.

    By default glibc returns what lies free at the end of the heap, so that each step has the system clear its pages
    again. With another C library, or another allocator in its place, nothing changes.
    """
    try:
        set_option, trim = ctypes.CDLL(None).mallopt, ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        yield
        return
    set_option(_MMAP_THRESHOLD, _LARGEST_KEPT)
    set_option(_TRIM_THRESHOLD, _MOST_KEPT)
    try:
        yield
    finally:
        set_option(_TRIM_THRESHOLD, _MOST_KEPT_AFTER)
        trim(0)
