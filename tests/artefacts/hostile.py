"""Input that somebody damaged or made up, and a bound on what reading it may take."""

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

from polyrank.errors import PolyrankError

MEMORY_BYTES = 2 * 2**30
"""More address space than this, on top of what the process has, is too much for an input of kilobytes."""

TIME_S = 20.0
"""Of the processor; what takes longer hangs. A test that waits for ever is ended by its own timeout."""


def mutated(content: bytes) -> st.SearchStrategy[bytes]:
    """Draw what becomes of a valid file: some bytes changed, cut out, put in or repeated, or its end lost."""
    edit = st.tuples(
        st.sampled_from(("replace", "insert", "delete", "repeat", "cut")),
        st.integers(0, max(0, len(content) - 1)),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(_AWKWARD)),
    )
    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: _applied(content, edits))


_LARGEST = b"\xff" * 7 + b"\x7f"
_AWKWARD = (b"\0" * 8, b"\xff" * 8, _LARGEST, b"-1", b"nan", b"1e999", b'"', b"[[[[", b"}}", b"../../", b"\r\n")


def _applied(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    for kind, where, new in edits:
        at = where % (len(content) + 1)
        match kind:
            case "replace":
                content = content[:at] + new + content[at + len(new) :]
            case "insert":
                content = content[:at] + new + content[at:]
            case "delete":
                content = content[:at] + content[at + len(new) :]
            case "repeat":
                content = content[: at + 40] + content[at:]
            case _:
                content = content[:at]
    return content


def hostile(content: bytes) -> st.SearchStrategy[bytes]:
    """Draw a damaged file or, now and then, any bytes at all."""
    return st.one_of(mutated(content), mutated(content), mutated(content), st.binary(max_size=200))


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Let the block succeed or refuse in one line, in little time and memory; all else is an error of the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES, hard))
    start = time.process_time()
    try:
        yield
    except PolyrankError as err:
        said = str(err)
    else:
        said = "read"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert len(said.splitlines()) == 1, said
    assert time.process_time() - start < TIME_S
