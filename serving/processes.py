"""What Linux says of processes. Needs the standard library alone."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ENDED = ("Z", "X")
_LISTENING = "0A"


@dataclass(frozen=True)
class Process:
    """One running process.

    Attributes:
        pid: its number, which another process may have later.
        parent: the number of its parent.
        start_ticks: when it started, in clock ticks since boot; with `pid` it names one process alone.
    """

    pid: int
    parent: int
    start_ticks: int


def process(pid: int) -> Process | None:
    """Return the process of this number; None when there is none, or it has ended and nobody has waited for it yet."""
    try:
        # The name of the program stands in parentheses, and may hold any byte.
        words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if words[0].decode() in _ENDED:
        return None
    return Process(pid=pid, parent=int(words[1]), start_ticks=int(words[19]))


def process_numbers() -> Iterator[int]:
    """Give the numbers of all processes.

    Raises:
        OSError: the system has no /proc.
    """
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def command_line(pid: int) -> list[str]:
    """Return the words that a process was started with; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def children(parent: int) -> list[int]:
    """Return the numbers of the running children of a process."""
    found = [process(number) for number in process_numbers()]
    return [each.pid for each in found if each is not None and each.parent == parent]


def listens(pid: int, port: int) -> bool:
    """Say whether a process listens at a TCP port: whether what answers there is that process, and no other."""
    return _has_any(pid, _listeners(pid, port))


def listener(port: int) -> int | None:
    """Return the process that listens at a TCP port; None where one does that is not ours to see, or none."""
    sockets = _listeners(os.getpid(), port)
    return next((number for number in process_numbers() if _has_any(number, sockets)), None)


def _listeners(pid: int, port: int) -> set[str]:
    """Return the sockets that listen at a port in the network of a process, as its files lead to them."""
    try:
        # There is no tcp6 where IPv6 is switched off.
        tables = [file.read_text().splitlines()[1:] for file in Path(f"/proc/{pid}/net").glob("tcp*")]
    except OSError:  # it is gone
        return set()
    lines = (line.split() for table in tables for line in table)
    found = ((words[1], words[3], words[9]) for words in lines)
    return {
        f"socket:[{inode}]"
        for local, state, inode in found
        if state == _LISTENING and int(local.rpartition(":")[2], 16) == port
    }


def _has_any(pid: int, sockets: set[str]) -> bool:
    """Say whether a process has one of these files open."""
    try:
        return bool(sockets) and any(_target(entry) in sockets for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it is gone, or not ours to see
        return False


def _target(link: Path) -> str:
    """Return where a link leads; nowhere when it is gone."""
    try:
        return str(link.readlink())
    except OSError:
        return ""
