"""What Linux says of processes. Needs the standard library alone."""

from dataclasses import dataclass
from pathlib import Path

_ENDED = ("Z", "X")


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


def command_line(pid: int) -> list[str]:
    """Return the words that a process was started with; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def children(parent: int) -> list[int]:
    """Return the numbers of the running children of a process."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = [process(number) for number in numbers]
    return [each.pid for each in found if each is not None and each.parent == parent]
