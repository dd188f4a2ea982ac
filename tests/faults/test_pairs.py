"""Two of everything at once, the second a random moment after the first."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from artefacts.killed_repositories import assert_no_leftovers, assert_whole, versions
from artefacts.shop_logs import Shop
from artefacts.trainings import INPUTS, filled, finish, start, weights

from polyrank.export import Bundle, list_versions

Start = Callable[[], "subprocess.Popen[bytes]"]
Ends = list[tuple[int, str]]


def command(*arguments: str) -> Start:
    """Return what starts polyrank with these arguments."""
    words = [sys.executable, "-m", "polyrank", "--quiet", *arguments]
    return lambda: subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def both(begin: Start, wait_s: float) -> Ends:
    """Start two, one after the other; return their exit codes and complaints, ascending."""
    first = begin()
    time.sleep(wait_s)
    processes = [first, begin()]
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    return sorted((code, complaint.decode()) for complaint, code in ends)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the weights of a training that is alone."""
    return finish(filled(tmp_path_factory.mktemp("alone")), "run")


@pytest.mark.faults(
    fault="two trainings of one run", promise="one makes the run that it would alone, the other says why", rounds=6
)
def test_two_trainings(chance: random.Random, alone: bytes, tmp_path: Path) -> None:
    place = filled(tmp_path)
    (won, _), (lost, complaint) = both(lambda: start(place, "run"), chance.uniform(0.0, 2.0))
    assert (won, lost) == (0, 1)
    reasons = ("another process is writing run; ", "run already exists; ", "run.checkpoint is what an interrupted ")
    assert complaint.startswith(tuple(f"polyrank: {reason}" for reason in reasons))
    assert complaint.count("\n") == 1
    assert weights(place / "run") == alone
    assert sorted(path.name for path in place.iterdir()) == sorted(["cache", "run", *INPUTS])


@pytest.mark.faults(fault="two publishes to one repository", promise="a whole version each", rounds=8)
def test_two_publishes(chance: random.Random, toy_bundle: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    ends = both(command("publish", str(toy_bundle), str(models)), chance.uniform(0.0, 0.5))
    assert ends == [(0, ""), (0, "")]
    assert versions(models) == ["1", "2"]
    assert_whole(models, Bundle.load(toy_bundle))
    assert_no_leftovers(tmp_path)


@pytest.mark.faults(
    fault="two loops over one folder", promise="one cycle and one version; the other says why", rounds=5
)
def test_two_loops(chance: random.Random, tmp_path: Path) -> None:
    shop = Shop.open(tmp_path)
    shop.show(hours=(0, 6), rows=900)
    (won, _), (other, complaint) = both(command("loop", str(shop.settings)), chance.uniform(0.0, 4.0))
    assert won == 0
    # One that comes when the first has ended finds nothing new.
    assert (other, complaint.count("\n")) in ((0, 0), (1, 1))
    assert other == 0 or " runs the loop in " in complaint
    assert [(each.version, each.is_live, each.damage) for each in list_versions(tmp_path / "models")] == [
        (1, True, None)
    ]
