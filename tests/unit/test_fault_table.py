"""The table that `make faults` ends with counts what broke, whatever phase of a round it was."""

import dataclasses
from typing import Any

import pytest
from artefacts.fault_table import PROPERTY, table


@dataclasses.dataclass
class Phase:
    nodeid: str
    outcome: str
    fault: str = "cut network"
    longrepr: Any = None

    @property
    def user_properties(self) -> list[tuple[str, Any]]:
        return [("other", 1), (PROPERTY, (self.fault, "no wrong score"))]


def cells(*phases: Phase) -> list[list[str]]:
    """Return the numbers of each line but the header."""
    return [line.split()[-2:] for line in table(phases)[1:]]


def test_phases_of_a_round_are_one_round() -> None:
    assert cells(*[Phase("a", "passed")] * 3, *[Phase("b", "passed")] * 3) == [["2", "0"], ["2", "0"]]


@pytest.mark.parametrize("broken", range(3))
def test_round_breaks_in_any_phase(broken: int) -> None:
    phases = [Phase("a", "failed" if phase == broken else "passed") for phase in range(3)]
    assert cells(*phases, Phase("b", "passed")) == [["2", "1"], ["2", "1"]]


def test_faults_have_lines_of_their_own_and_a_sum() -> None:
    lines = table([Phase("a", "failed"), Phase("b", "passed", "full disk"), Phase("c", "passed", "full disk")])
    assert lines == [
        "fault        promise         rounds  broke",
        "cut network  no wrong score       1  1",
        "full disk    no wrong score       2  0",
        "all                               3  1",
    ]


def test_skipped_fault_says_why_and_counts_for_nothing() -> None:
    skipped = Phase("a", "skipped", longrepr=("file.py", 3, "Skipped: a small disk needs the right to mount"))
    assert table([skipped])[1:] == [
        "cut network  no wrong score       0  skipped: a small disk needs the right to mount",
        "all                               0  0",
    ]


def test_reports_without_a_fault_make_no_table() -> None:
    class Plain(Phase):
        @property
        def user_properties(self) -> list[tuple[str, Any]]:
            return []

    assert table([Plain("a", "failed")]) == []
