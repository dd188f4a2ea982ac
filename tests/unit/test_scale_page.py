"""docs/scale.md: its tables are what its script computes of the figures that were measured."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def scale(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def cells(printed: str, first: str) -> list[str]:
    line = next(line for line in printed.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_page_holds_what_the_script_prints() -> None:
    found = scale("--check")
    assert (found.returncode, found.stderr) == (0, "")


def test_other_assumptions_are_another_page() -> None:
    found = scale("--check", "--items", "200")
    assert found.returncode == 1
    assert found.stderr == "docs/scale.md holds other tables: python benchmarks/scale.py --write\n"


@pytest.fixture(scope="module")
def printed() -> str:
    return scale("--peak", "8.64", "--shown", "20", "--log-days", "10").stdout


def test_busiest_second_is_a_multiple_of_the_mean(printed: str) -> None:
    assert cells(printed, "requests/s, peak") == ["100", "1,000", "10,000", "100,000"]


def test_log_has_a_row_for_each_item_shown(printed: str) -> None:
    assert cells(printed, "rows of a day's log") == ["20 M", "200 M", "2 B", "20 B"]


def test_limits_stand_in_the_order_of_traffic(printed: str) -> None:
    table = printed.partition("up to requests a day")[2].splitlines()[2:]
    factors = {"k": 1e3, "M": 1e6, "B": 1e9}
    ends = [float(number) * factors[unit] for number, unit in (line.split()[1:3] for line in table if line)]
    assert len(ends) == 8
    assert ends == sorted(ends)
