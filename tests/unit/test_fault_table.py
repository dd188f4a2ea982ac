"""The table that `make faults` ends with counts what struck and what broke, whatever phase of a round it was."""

import dataclasses
from typing import Any

import pytest
from artefacts.fault_table import MANY, PROPERTY, STRUCK, counted, idle, table


@dataclasses.dataclass
class Phase:
    nodeid: str
    outcome: str
    fault: str = "cut network"
    longrepr: Any = None
    struck: bool | None = None

    @property
    def user_properties(self) -> list[tuple[str, Any]]:
        told = [] if self.struck is None else [(STRUCK, self.struck)]
        return [("other", 1), (PROPERTY, (self.fault, "no wrong score")), *told]


class Plain(Phase):
    """One of a test without a fault, or of a process that died."""

    @property
    def user_properties(self) -> list[tuple[str, Any]]:
        return []


def cells(*phases: Phase) -> list[list[str]]:
    """Return the numbers of each line but the header."""
    return [line.split()[-3:] for line in table(counted(phases))[1:]]


def test_phases_of_a_round_are_one_round() -> None:
    assert cells(*[Phase("a", "passed")] * 3, *[Phase("b", "passed")] * 3) == [["2", "2", "0"]] * 2


@pytest.mark.parametrize("broken", range(3))
def test_round_breaks_in_any_phase(broken: int) -> None:
    phases = [Phase("a", "failed" if phase == broken else "passed") for phase in range(3)]
    assert cells(*phases, Phase("b", "passed")) == [["2", "2", "1"]] * 2


def test_round_that_tells_of_no_fault_did_not_strike() -> None:
    spared = [Phase("a", "passed"), *[Phase("a", "passed", struck=False)] * 2]
    assert cells(*spared, Phase("b", "passed", struck=True), Phase("c", "passed")) == [["3", "2", "0"]] * 2


def test_round_whose_process_died_is_broken() -> None:
    assert cells(Phase("test_a[0]", "passed"), Plain("test_a[1]", "failed")) == [["2", "2", "1"]] * 2


@pytest.mark.parametrize(("rounds", "named"), [(MANY, ["cut network"]), (MANY - 1, [])])
def test_fault_that_strikes_in_none_of_many_rounds_is_named(rounds: int, named: list[str]) -> None:
    spared = [Phase(str(number), "passed", struck=False) for number in range(rounds)]
    assert idle(counted(spared)) == named
    assert idle(counted([*spared, Phase("once", "passed", struck=True)])) == []


def test_faults_have_lines_of_their_own_and_a_sum() -> None:
    phases = [Phase("a", "failed"), Phase("b", "passed", "full disk"), Phase("c", "passed", "full disk", struck=False)]
    assert table(counted(phases)) == [
        "fault        promise         rounds  struck  broke",
        "cut network  no wrong score       1       1  1",
        "full disk    no wrong score       2       1  0",
        "all                               3       2  1",
    ]


def test_skipped_fault_says_why_and_counts_for_nothing() -> None:
    skipped = Phase("a", "skipped", longrepr=("file.py", 3, "Skipped: a small disk needs the right to mount"))
    assert table(counted([skipped]))[1:] == [
        "cut network  no wrong score       0       0  skipped: a small disk needs the right to mount",
        "all                               0       0  0",
    ]


def test_reports_without_a_fault_make_no_table() -> None:
    assert table(counted([Plain("a", "failed")])) == []
