"""Counts rounds of faults out of pytest's reports, and writes the table of them."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Protocol

PROPERTY = "fault"
"""Of a report: the pair of the fault and what was promised."""
HEADER = ("fault", "promise", "rounds", "broke")
DONE, SKIPPED, BROKE = 0, 1, 2
"""How a phase of a round ended; of several the highest counts."""
_ENDS = {"passed": DONE, "skipped": SKIPPED, "failed": BROKE}


class Report(Protocol):
    """What is read of a report, which is of one phase of one round."""

    @property
    def nodeid(self) -> str: ...

    @property
    def outcome(self) -> Any: ...

    @property
    def user_properties(self) -> Iterable[tuple[str, Any]]: ...

    @property
    def longrepr(self) -> Any: ...


@dataclasses.dataclass
class Count:
    """Rounds of one fault.

    Attributes:
        ends: of each round, by its name.
        reason: why rounds were skipped; empty when none was.
    """

    ends: dict[str, int] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def add(self, report: Report) -> None:
        """Take one phase in."""
        self.ends[report.nodeid] = max(self.ends.get(report.nodeid, DONE), _ENDS[report.outcome])
        if report.outcome == "skipped":
            self.reason = str(report.longrepr[-1]).removeprefix("Skipped: ")

    @property
    def cells(self) -> tuple[str, str]:
        """How many rounds were run, and how many of them broke; the reason where none was run."""
        ends = list(self.ends.values())
        run = len(ends) - ends.count(SKIPPED)
        return (str(run), str(ends.count(BROKE))) if run else ("0", f"skipped: {self.reason}")


def table(reports: Iterable[Report]) -> list[str]:
    """Return the lines of the table: a header, then a line for each fault and promise, and the sums."""
    counts: dict[tuple[str, str], Count] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY:
                counts.setdefault((str(value[0]), str(value[1])), Count()).add(report)
    rows = [(*named, *count.cells) for named, count in sorted(counts.items())]
    ends = [end for count in counts.values() for end in count.ends.values()]
    sums = ("all", "", str(len(ends) - ends.count(SKIPPED)), str(ends.count(BROKE)))
    return _aligned([HEADER, *rows, sums]) if rows else []


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
    return [f"{row[0]:<{first}}  {row[1]:<{second}}  {row[2]:>{third}}  {row[3]}" for row in rows]
