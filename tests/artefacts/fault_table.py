"""Counts rounds of faults out of pytest's reports, and writes the table of them."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Protocol

PROPERTY = "fault"
"""Of a report: the pair of the fault and what was promised."""
STRUCK = "struck"
"""Of a report: whether the fault happened in this round; a round without it is one in which it is certain."""
HEADER = ("fault", "promise", "rounds", "struck", "broke")
DONE, SKIPPED, BROKE = 0, 1, 2
"""How a phase of a round ended; of several the highest counts."""
MANY = 6
"""So many rounds in which a fault could have struck, and did not, tell nothing of it."""
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
        spared: names of rounds in which the fault did not happen.
        reason: why rounds were skipped; empty when none was.
    """

    ends: dict[str, int] = dataclasses.field(default_factory=dict)
    spared: set[str] = dataclasses.field(default_factory=set)
    reason: str = ""

    def add(self, report: Report) -> None:
        """Take one phase in."""
        self.ends[report.nodeid] = max(self.ends.get(report.nodeid, DONE), _ENDS[report.outcome])
        if dict(report.user_properties).get(STRUCK) is False:
            self.spared.add(report.nodeid)
        if report.outcome == "skipped":
            self.reason = str(report.longrepr[-1]).removeprefix("Skipped: ")

    @property
    def rounds(self) -> int:
        """How many were not skipped."""
        return sum(end != SKIPPED for end in self.ends.values())

    @property
    def struck(self) -> int:
        """In how many of them the fault happened."""
        return self.rounds - len(self.spared)

    @property
    def broke(self) -> int:
        """How many of them broke."""
        return list(self.ends.values()).count(BROKE)

    @property
    def cells(self) -> tuple[str, str, str]:
        """These numbers; the reason where no round was run."""
        return str(self.rounds), str(self.struck), str(self.broke) if self.rounds else f"skipped: {self.reason}"


Counts = dict[tuple[str, str], Count]
"""By fault and promise."""


def counted(reports: Iterable[Report]) -> Counts:
    """Count rounds; one whose process died has a report with nothing but its name, and other rounds say of what."""
    known = list(reports)
    faults = {_test(report): value for report in known for name, value in report.user_properties if name == PROPERTY}
    counts: Counts = {}
    for report in known:
        if _test(report) in faults:
            fault, promise = faults[_test(report)]
            counts.setdefault((fault, promise), Count()).add(report)
    return counts


def idle(counts: Counts) -> list[str]:
    """Return the faults that struck in none of many rounds."""
    return [fault for (fault, _), count in sorted(counts.items()) if count.rounds >= MANY and count.struck == 0]


def table(counts: Counts) -> list[str]:
    """Return the lines of the table: a header, then a line for each fault and promise, and the sums."""
    rows = [(*named, *count.cells) for named, count in sorted(counts.items())]
    sums = [str(sum(getattr(count, name) for count in counts.values())) for name in HEADER[2:]]
    return _aligned([HEADER, *rows, ("all", "", *sums)]) if rows else []


def _test(report: Report) -> str:
    return report.nodeid.partition("[")[0]


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    first, second, third, fourth = (max(len(row[column]) for row in rows) for column in range(4))
    return [f"{row[0]:<{first}}  {row[1]:<{second}}  {row[2]:>{third}}  {row[3]:>{fourth}}  {row[4]}" for row in rows]
