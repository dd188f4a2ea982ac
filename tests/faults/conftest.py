"""Rounds of faults: how many there are, what each draws its chances from, and the table at the end.

A test is marked `faults(fault=..., promise=..., rounds=...)` and takes `chance`; it runs once for each round.
POLYRANK_FAULT_ROUNDS says how many kills there are, 200 if it is not set; rounds of all faults grow and shrink with it.
POLYRANK_FAULT_SEED draws other chances.
"""

import os
import random
from typing import Any

import pytest
from artefacts.fault_table import PROPERTY, table

KILLS = 200
"""How many rounds all marks of kills have together."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("faults")
    if mark is not None:
        asked = int(os.environ.get("POLYRANK_FAULT_ROUNDS", str(KILLS)))
        metafunc.parametrize("number", range(max(1, round(mark.kwargs["rounds"] * asked / KILLS))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker("faults")
        if mark is not None:
            item.user_properties.append((PROPERTY, (mark.kwargs["fault"], mark.kwargs["promise"])))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    found = [report for reports in terminalreporter.stats.values() for report in reports]
    lines = table(report for report in found if isinstance(report, pytest.TestReport))
    if lines:
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture
def chance(number: int, request: pytest.FixtureRequest) -> random.Random:
    """What a round draws from: the same in each run, and another one for each test and round."""
    test = request.node.originalname
    return random.Random(f"{os.environ.get('POLYRANK_FAULT_SEED', '0')} {test} {number}")
