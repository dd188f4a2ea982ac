"""The loop closed on the simulated shop: docs/loop-simulation.md."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.triton, pytest.mark.timeout(900)]

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "loop.py"
SMALL = "--users 40 --items 40 --base-visits 100 --visits 100 --tolerance 1"


def run(file: Path, options: str) -> dict[str, Any]:
    """Run the benchmark; return what it found."""
    done = subprocess.run(
        [sys.executable, BENCHMARK, *options.split(), "--json", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("small") / "found.json", f"{SMALL} --cycles 2 --without-newcomers")


def test_each_day_is_served_by_the_version_of_its_cycle(small: dict[str, Any]) -> None:
    assert [day["version"] for day in small["days"]] == ["1", "2"]
    assert [cycle["version"] for cycle in small["versions"]] == [1, 2]
    assert all(cycle["steps"]["verify"] == "proven" for cycle in small["versions"])


def test_oracle_has_the_highest_click_rate(small: dict[str, Any]) -> None:
    for day in small["days"]:
        assert max(day["rates"], key=lambda name: day["rates"][name]) == "oracle"


def test_users_click_as_often_as_expected(small: dict[str, Any]) -> None:
    for day in small["days"]:
        assert day["clicks"] == pytest.approx(day["rates"]["served"], abs=4 * (0.25 / 1_000) ** 0.5)


@pytest.mark.timeout(1_800)
def test_loop_that_is_killed_ends_alike(small: dict[str, Any], tmp_path: Path) -> None:
    killed = run(tmp_path / "found.json", f"{SMALL} --cycles 2 --without-newcomers --kills 4")
    assert killed["kills"] > 0
    assert (killed["days"], killed["versions"]) == (small["days"], small["versions"])


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("full") / "found.json", "")


@pytest.mark.timeout(7_200)
def test_served_lists_come_near_the_oracles(full: dict[str, Any]) -> None:
    first, last = full["days"][0], full["days"][-1]
    assert len(full["days"]) == 10
    assert last["rates"]["served"] > 1.3 * first["rates"]["served"]
    assert last["share"] >= 0.9
    for rival in ("first version", "popularity", "random"):
        assert last["rates"]["served"] > last["rates"][rival]


def test_new_items_that_are_liked_come_into_lists(full: dict[str, Any]) -> None:
    unseen, *later = [found["loved"]["served"] for found in full["newcomers"]["items"]]
    assert later[0] > 2 * unseen
    assert later == sorted(later)
    assert later[-1] > 0.3 * full["newcomers"]["items"][-1]["loved"]["oracle"]


def test_lists_for_unknown_users_are_better_than_popular_items(full: dict[str, Any]) -> None:
    rates = full["newcomers"]["cold visits"]["rates"]
    assert rates["served"] > rates["popularity"]
    assert rates["served"] > rates["first version"]
