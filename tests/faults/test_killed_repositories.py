"""Exports and publishes killed at random steps leave a whole bundle or none, and a repository that is served."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.killed import Job, killed_work
from artefacts.killed_repositories import assert_no_leftovers, assert_whole, versions
from artefacts.killed_steps import KILLED
from artefacts.served import Scores, load_scores

from polyrank.export import Bundle, ServingOptions, publish
from polyrank.export.bundle import check_golden
from polyrank.serving import ModelControl, Ranker, Server, serve

Work = Callable[[Job], int]
CHANGES = ("publish", "publish and keep", "rollback", "take back")


@pytest.fixture(scope="module")
def work(toy_bundle: Path) -> Iterator[Work]:
    with killed_work(toy_bundle) as started:
        yield started


@pytest.fixture(scope="module")
def export_steps(work: Work, toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    place = tmp_path_factory.mktemp("export") / "bundle"
    return work(Job(verb="export", source=str(toy_run), place=str(place), step=0))


@pytest.mark.faults(
    fault="SIGKILL of an export", promise="a whole bundle or none, and the next one succeeds", rounds=40
)
def test_killed_export_leaves_no_half_bundle(
    chance: random.Random, work: Work, export_steps: int, toy_run: Path, tmp_path: Path
) -> None:
    place = tmp_path / "bundle"
    job = Job(verb="export", source=str(toy_run), place=str(place), step=chance.randint(1, export_steps))
    assert work(job) == KILLED
    assert not place.exists()  # the last step is the rename that makes the bundle
    assert work(job | {"step": 0}) > 0
    check_golden(Bundle.load(place), place / "model.onnx")
    assert_no_leftovers(tmp_path)


@pytest.fixture(scope="module")
def repository(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository with two versions, of which one is live."""
    folder = tmp_path_factory.mktemp("publish") / "models"
    for _ in range(2):
        publish(toy_bundle, folder, options=ServingOptions(warm_up=(1,)))
    return folder


@pytest.fixture(scope="module")
def change_steps(
    work: Work, toy_bundle: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, int]:
    """Give the steps of each change."""
    places = tmp_path_factory.mktemp("steps")
    copies = {verb: shutil.copytree(repository, places / verb.replace(" ", "-") / "models") for verb in CHANGES}
    return {
        verb: work(Job(verb=verb, source=str(toy_bundle), place=str(place), step=0)) for verb, place in copies.items()
    }


@pytest.fixture(scope="module")
def server(repository: Path, change_steps: dict[str, int]) -> Iterator[tuple[Server, Path]]:
    """Give a server and its repository, which changed nowhere but in copies so far."""
    assert min(change_steps.values()) > 5
    with serve(repository) as running:
        yield running, repository


@pytest.fixture(scope="module")
def asked(served: Path) -> tuple[pa.Table, Scores]:
    """Give rows, and what PyTorch answers to them."""
    return pq.read_table(served / "rows.parquet")[:50], load_scores(served / "scores.npz")


@pytest.fixture
def kill_a_change(
    chance: random.Random, work: Work, change_steps: dict[str, int], toy_bundle: Path
) -> Callable[[Path], bool]:
    """Give what kills a change of a repository at a random step, and says whether it came to that."""

    def kill(repository: Path) -> bool:
        verb = chance.choice(CHANGES) if len(versions(repository)) > 1 else "publish"
        step = chance.randint(1, change_steps[verb])
        end = work(Job(verb=verb, source=str(toy_bundle), place=str(repository), step=step))
        assert KILLED <= end < step  # of a change that takes fewer steps than before, it is the end
        return end == KILLED

    return kill


@pytest.mark.faults(
    fault="SIGKILL of a publish or a rollback",
    promise="all versions whole, and the server answers as before, also once it reloads",
    rounds=45,
)
def test_killed_publish_leaves_what_is_served(
    kill_a_change: Callable[[Path], bool],
    strikes: Callable[[bool], None],
    toy_bundle: Path,
    server: tuple[Server, Path],
    asked: tuple[pa.Table, Scores],
) -> None:
    running, repository = server
    strikes(kill_a_change(repository))
    assert_whole(repository, Bundle.load(toy_bundle))
    rows, expected = asked
    with ModelControl(running.url) as control, Ranker(running.url, "toy") as ranker:
        before = ranker.score(rows)
        control.load("toy")
        for scores in (before, ranker.score(rows)):
            np.testing.assert_allclose(scores["click"].to_numpy(), expected["click"][: len(rows)], atol=1e-5)
