"""Rounds of faults: how many there are, what each draws its chances from, and the table at the end.

A test is marked `faults(fault=..., promise=..., rounds=...)` and takes `chance`; it runs once for each round. One whose
fault may not happen in a round tells `strikes` whether it did; a fault that never does fails the run.
POLYRANK_FAULT_ROUNDS says how many kills there are, 200 if it is not set; rounds of all faults grow and shrink with it.
POLYRANK_FAULT_SEED draws other chances.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from artefacts.fault_table import PROPERTY, STRUCK, Counts, counted, idle, table
from toy import toy_table

from polyrank.schema import Schema

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


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")  # which workers of xdist do not have
    if reporter is not None and session.exitstatus == pytest.ExitCode.OK and idle(counts_of(reporter)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    counts = counts_of(terminalreporter)
    if counts:
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(table(counts)))
    for fault in idle(counts):
        terminalreporter.write_line(f"error: {fault}: it struck in no round; make it likelier")


def counts_of(reporter: Any) -> Counts:
    found = [report for reports in reporter.stats.values() for report in reports]
    return counted(report for report in found if isinstance(report, pytest.TestReport))


@pytest.fixture
def chance(number: int, request: pytest.FixtureRequest) -> random.Random:
    """What a round draws from: the same in each run, and another one for each test and round."""
    test = request.node.originalname
    return random.Random(f"{os.environ.get('POLYRANK_FAULT_SEED', '0')} {test} {number}")


@pytest.fixture
def strikes(request: pytest.FixtureRequest) -> Callable[[bool], None]:
    """What a round tells, where chance decides whether its fault happens, once it knows."""
    return lambda happened: request.node.user_properties.append((STRUCK, happened))


@pytest.fixture(scope="session")
def other_run(tmp_path_factory: pytest.TempPathFactory, toy_schema: Schema) -> Path:
    """Give a run of the toy schema that answers otherwise than `toy_run`."""
    from polyrank.train import TrainConfig, fit

    config, rows = TrainConfig(batch_size=128, epochs=2, seed=1), toy_table(2_000, 1)
    return fit(toy_schema, rows, out=tmp_path_factory.mktemp("other") / "run", config=config, progress=False).path


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory: pytest.TempPathFactory, other_run: Path) -> Path:
    """Give the directory of its bundle, over rows alone."""
    from polyrank.export import ExportOptions, export_onnx

    folder = tmp_path_factory.mktemp("other") / "bundle"
    return export_onnx(other_run, out=folder, options=ExportOptions(requests=None)).path
