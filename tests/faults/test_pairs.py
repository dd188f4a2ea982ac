"""Two of everything at once, the second a random moment after the first.

A round struck where both were at work at once, which those that refuse say, and publishes show.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from artefacts.killed_repositories import assert_no_leftovers, assert_whole, versions
from artefacts.processes import frozen, wait_until
from artefacts.shop_logs import Shop
from artefacts.trainings import INPUTS, filled, finish, start, weights

from polyrank.export import Bundle, list_versions

Process = subprocess.Popen[bytes]
Start = Callable[[], Process]
Strikes = Callable[[bool], None]
Ends = list[tuple[int, str]]


def command(*arguments: str) -> Start:
    """Return what starts polyrank with these arguments."""
    words = [sys.executable, "-m", "polyrank", "--quiet", *arguments]
    return lambda: subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def started(first: Start, second: Start, wait_s: float) -> list[Process]:
    """Start two, one after the other."""
    process = first()
    time.sleep(wait_s)
    return [process, second()]


def ends_of(processes: Sequence[Process]) -> Ends:
    """Wait for all; return their exit codes and complaints, ascending."""
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    return sorted((code, complaint.decode()) for complaint, code in ends)


def meet(processes: Sequence[Process], folder: Path) -> bool:
    """Stop the first to open a folder until another has it open too, and say whether it came to that.

    They would seldom meet by chance: work on the folder is a small part of their time.
    """
    assert wait_until(lambda: any(has_open(process, folder) for process in processes), 60.0)
    first = next(process for process in processes if has_open(process, folder))
    (second,) = (process for process in processes if process is not first)
    with frozen(first.pid):
        assert wait_until(lambda: has_open(second, folder) or second.poll() is not None, 60.0)
        return second.poll() is None


def has_open(process: Process, folder: Path) -> bool:
    """Say whether a process has a folder open."""
    with suppress(OSError):  # of a file that it closed meanwhile
        return str(folder) in map(os.readlink, Path(f"/proc/{process.pid}/fd").iterdir())
    return False


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the weights of a training that is alone."""
    return finish(filled(tmp_path_factory.mktemp("alone")), "run")


@pytest.mark.faults(
    fault="two trainings of one run", promise="one makes the run that it would alone, the other says why", rounds=6
)
def test_two_trainings(chance: random.Random, strikes: Strikes, alone: bytes, tmp_path: Path) -> None:
    place = filled(tmp_path)
    begin = partial(start, place, "run")
    (won, _), (lost, complaint) = ends_of(started(begin, begin, chance.uniform(0.0, 2.0)))
    assert (won, lost) == (0, 1)
    strikes("run already exists" not in complaint)
    reasons = ("another process is writing run; ", "run already exists; ", "run.checkpoint is what an interrupted ")
    assert complaint.startswith(tuple(f"polyrank: {reason}" for reason in reasons))
    assert complaint.count("\n") == 1
    assert weights(place / "run") == alone
    assert sorted(path.name for path in place.iterdir()) == sorted(["cache", "run", *INPUTS])


@pytest.mark.faults(fault="two publishes to one repository", promise="a whole version each", rounds=8)
def test_two_publishes(
    chance: random.Random, strikes: Strikes, toy_bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    models, bundles = tmp_path / "models", [Bundle.load(toy_bundle), Bundle.load(other_bundle)]
    first, second = (command("publish", str(bundle.path), str(models)) for bundle in bundles)
    processes = started(first, second, chance.uniform(0.0, 0.5))
    strikes(meet(processes, models))
    assert ends_of(processes) == [(0, ""), (0, "")]
    assert versions(models) == ["1", "2"]
    assert_whole(models, *bundles)
    assert {each.run_id for each in list_versions(models)} == {bundle.signature.run_id for bundle in bundles}
    assert_no_leftovers(tmp_path)


@pytest.mark.faults(
    fault="two loops over one folder", promise="one cycle and one version; the other says why", rounds=5
)
def test_two_loops(chance: random.Random, strikes: Strikes, tmp_path: Path) -> None:
    shop = Shop.open(tmp_path)
    shop.show(hours=(0, 6), rows=900)
    begin = command("loop", str(shop.settings))
    (won, _), (other, complaint) = ends_of(started(begin, begin, chance.uniform(0.0, 4.0)))
    assert won == 0
    strikes(other == 1)
    # One that comes when the first has ended finds nothing new.
    assert (other, complaint.count("\n")) in ((0, 0), (1, 1))
    assert other == 0 or " runs the loop in " in complaint
    assert [(each.version, each.is_live, each.damage) for each in list_versions(tmp_path / "models")] == [
        (1, True, None)
    ]
