"""Exports and publishes killed at random steps leave a whole bundle or none, and a repository that is served."""

import dataclasses
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from artefacts.killed import Job, killed_work
from artefacts.killed_repositories import assert_no_leftovers, assert_whole
from artefacts.killed_steps import KILLED
from numpy.typing import NDArray
from toy import toy_table

from polyrank.encoder import Encoder
from polyrank.export import Bundle, ServingOptions, list_versions, publish
from polyrank.export.bundle import check_golden
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.serving import ModelControl, Ranker, Server, serve

Work = Callable[[Job], int]
CHANGES = ("publish", "publish and keep", "rollback", "take back")
ROWS = toy_table(50, 5)


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
def bundles(toy_bundle: Path, other_bundle: Path) -> tuple[Bundle, Bundle]:
    """Give two bundles of one schema whose answers differ."""
    return Bundle.load(toy_bundle), Bundle.load(other_bundle)


@pytest.fixture(scope="module")
def answers(bundles: tuple[Bundle, Bundle], toy_run: Path, other_run: Path) -> dict[str | None, NDArray[np.float32]]:
    """Give what PyTorch answers to the rows for `click`, by the run that answers."""
    rankers = [TrainedRanker.load(run) for run in (toy_run, other_run)]
    found = [predict(ranker.model, Encoder(ranker.schema).encode(ROWS))["click"] for ranker in rankers]
    assert np.abs(found[0] - found[1]).max() > 0.01
    return {bundle.signature.run_id: scores for bundle, scores in zip(bundles, found, strict=True)}


@pytest.fixture(scope="module")
def repository(bundles: tuple[Bundle, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository with a version of each bundle, of which the second is live."""
    folder = tmp_path_factory.mktemp("publish") / "models"
    for bundle in bundles:
        publish(bundle, folder, options=ServingOptions(warm_up=(1,)))
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
def server(repository: Path, change_steps: dict[str, int]) -> Iterator[Server]:
    """Give a server of the repository, which changed nowhere but in copies so far."""
    assert min(change_steps.values()) > 5
    with serve(repository) as running:
        yield running


@dataclasses.dataclass(frozen=True)
class State:
    """Of a repository: the run of each version, the version that is live, and the run that a rollback goes back to."""

    runs: dict[int, str | None]
    live: int
    previous: str | None

    @classmethod
    def of(cls, repository: Path) -> Self:
        """Read it."""
        found = list_versions(repository, name="toy")
        (live,) = [each for each in found if each.is_live]
        runs = {each.version: each.run_id for each in found}
        earlier = [version for version in runs if version < (live.origin or live.version)]
        return cls(runs, live.version, runs[max(earlier)] if earlier else None)


@pytest.fixture
def kill_a_change(
    chance: random.Random, work: Work, change_steps: dict[str, int], bundles: tuple[Bundle, Bundle], repository: Path
) -> Callable[[State], tuple[bool, str | None]]:
    """Give what kills a change at a random step: whether it came to that, and the run of a version that it may make."""

    def kill(before: State) -> tuple[bool, str | None]:
        verb = chance.choice([each for each in CHANGES if each != "rollback" or before.previous is not None])
        source, step = chance.choice(bundles), chance.randint(1, change_steps[verb])
        end = work(Job(verb=verb, source=str(source.path), place=str(repository), step=step))
        assert KILLED <= end < step  # of a change that takes fewer steps than before, it is the end
        return end == KILLED, before.previous if verb == "rollback" else source.signature.run_id

    return kill


@pytest.mark.faults(
    fault="SIGKILL of a publish or a rollback",
    promise="all versions whole, and the server answers as before, also once it reloads",
    rounds=45,
)
def test_killed_publish_leaves_what_is_served(
    kill_a_change: Callable[[State], tuple[bool, str | None]],
    strikes: Callable[[bool], None],
    repository: Path,
    server: Server,
    bundles: tuple[Bundle, Bundle],
    answers: dict[str | None, NDArray[np.float32]],
) -> None:
    before = State.of(repository)
    is_killed, run = kill_a_change(before)
    strikes(is_killed)
    assert_whole(repository, *bundles)
    after = State.of(repository)
    made = after.runs.keys() - before.runs.keys()
    assert after.runs == {version: before.runs.get(version, run) for version in after.runs}
    assert after.live in {before.live, *made}
    with ModelControl(server.url) as control, Ranker(server.url, "toy") as ranker:
        found = ranker.score(ROWS)
        control.load("toy")
        for scores, state in ((found, before), (ranker.score(ROWS), after)):
            expected = answers[state.runs[state.live]]
            np.testing.assert_allclose(scores["click"].to_numpy(), expected, atol=1e-5)
