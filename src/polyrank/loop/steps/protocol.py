"""What a step is."""

import dataclasses
from pathlib import Path
from typing import Protocol

from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import AnyFound


@dataclasses.dataclass(frozen=True)
class Done:
    """A step that is done.

    Attributes:
        found: what it found.
        inputs: files and directories that it read.
        wrote: those that it wrote.
    """

    found: AnyFound
    inputs: tuple[Path, ...] = ()
    wrote: tuple[Path, ...] = ()


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A step that cannot be done yet.

    Attributes:
        reason: what for, in a line that goes on from `waits for`.
    """

    reason: str


class Step(Protocol):
    """A step of a cycle.

    It may be cut off at any point, and is then run again, on what it left: it does nothing twice.
    """

    name: str

    def run(self, cycle: Cycle, history: History) -> Done | Waiting:
        """Do it.

        Args:
            cycle: its records are those of the steps before.
            history: the cycles before.

        Raises:
            PolyrankError: it failed; it is tried again the next time.
        """
        ...
