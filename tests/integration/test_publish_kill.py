"""Whatever step of an export or a publish SIGKILL hits, nothing half-done looks finished, and the next one succeeds."""

from pathlib import Path

import pytest
from artefacts.killed import Job, run_jobs
from artefacts.killed_repositories import (
    assert_no_leftovers,
    assert_whole,
    count_steps,
    kill,
    make_jobs,
    versions,
)

from polyrank.export import Bundle, export_onnx, publish
from polyrank.export.bundle import check_golden

POINTS = 6
"""How many steps of each work are hit in the quick tests; the slow ones hit every one."""


@pytest.fixture(scope="module")
def toy_bundle(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two graphs, so that a change of the repository is two exchanges."""
    return export_onnx(toy_run, out=tmp_path_factory.mktemp("toy") / "bundle").path


def spread(steps: int, points: int) -> list[int]:
    return sorted({1 + index * (steps - 1) // (points - 1) for index in range(points)})


def check_first_publish(toy_bundle: Path, places: Path, points: int | None) -> None:
    steps = count_steps("publish", toy_bundle, places, exported=toy_bundle)
    killed = make_jobs("publish", toy_bundle, places, spread(steps, points or steps))
    kill(killed, exported=toy_bundle)
    outcomes = set()
    for job in killed:
        repository = Path(job["place"])
        assert_whole(repository, Bundle.load(toy_bundle))
        outcomes.add(len(versions(repository)))
        expected = len(versions(repository)) + 1
        assert publish(toy_bundle, repository).version == expected
        assert versions(repository) == [str(version) for version in range(1, expected + 1)]
        assert_no_leftovers(repository.parent)
    assert outcomes == {0, 1}


def check_next_publish(toy_bundle: Path, places: Path, points: int | None) -> None:
    before = places / "before"
    publish(toy_bundle, before)
    steps = count_steps("publish", toy_bundle, places, exported=toy_bundle, before=before)
    killed = make_jobs("publish", toy_bundle, places, spread(steps, points or steps), before=before)
    kill(killed, exported=toy_bundle)
    outcomes = set()
    for job in killed:
        repository = Path(job["place"])
        assert_whole(repository, Bundle.load(toy_bundle))
        outcomes.add(tuple(versions(repository)))
        publish(toy_bundle, repository)
        assert_no_leftovers(repository.parent)
    assert outcomes == {("1",), ("1", "2")}


def check_change(verb: str, expected: set[tuple[str, ...]], toy_bundle: Path, places: Path, points: int | None) -> None:
    """Kill a change of a repository with versions 1 and 2; each state it leaves must be one of those expected."""
    before = places / "before"
    publish(toy_bundle, before)
    publish(toy_bundle, before)
    steps = count_steps(verb, toy_bundle, places, exported=toy_bundle, before=before)
    killed = make_jobs(verb, toy_bundle, places, spread(steps, points or steps), before=before)
    kill(killed, exported=toy_bundle)
    outcomes = set()
    for job in killed:
        repository = Path(job["place"])
        assert_whole(repository, Bundle.load(toy_bundle))
        outcomes.add(tuple(versions(repository)))
        assert publish(toy_bundle, repository).version in (3, 4)
        assert_no_leftovers(repository.parent)
    # A state that only a few steps leave is one that a few kills may miss.
    assert outcomes <= expected if points else outcomes == expected


KEEPING = ("publish and keep", {("1", "2"), ("3",)})
ROLLING_BACK = ("rollback", {("1", "2"), ("1", "2", "3")})
TAKING_BACK = ("take back", {("1", "2"), ("1", "2", "3")})


def check_export(toy_run: Path, toy_bundle: Path, places: Path, points: int | None) -> None:
    steps = count_steps("export", toy_run, places, exported=toy_bundle)
    killed = make_jobs("export", toy_run, places, spread(steps, points or steps))
    kill(killed, exported=toy_bundle)
    # The last step is the rename that makes the bundle.
    assert not any(Path(job["place"]).exists() for job in killed)
    again = [Job(verb="export", source=str(toy_run), place=job["place"], step=0) for job in killed]
    assert min(run_jobs(again, exported=toy_bundle)) > 0
    for job in again:
        check_golden(Bundle.load(job["place"]), Path(job["place"]) / "model.onnx")
        assert_no_leftovers(Path(job["place"]).parent)


@pytest.mark.slow
def test_killed_first_publish_is_whole_or_absent(toy_bundle: Path, tmp_path: Path) -> None:
    check_first_publish(toy_bundle, tmp_path, POINTS)


def test_killed_next_publish_is_whole_or_absent(toy_bundle: Path, tmp_path: Path) -> None:
    check_next_publish(toy_bundle, tmp_path, POINTS)


def test_killed_export_is_absent(toy_run: Path, toy_bundle: Path, tmp_path: Path) -> None:
    check_export(toy_run, toy_bundle, tmp_path, POINTS)


@pytest.mark.parametrize(
    ("verb", "outcomes"),
    [KEEPING, *(pytest.param(*change, marks=pytest.mark.slow) for change in (ROLLING_BACK, TAKING_BACK))],
)
def test_killed_change_leaves_a_whole_state(
    toy_bundle: Path, tmp_path: Path, verb: str, outcomes: set[tuple[str, ...]]
) -> None:
    check_change(verb, outcomes, toy_bundle, tmp_path, POINTS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("verb", "outcomes"), [KEEPING, ROLLING_BACK, TAKING_BACK])
def test_change_survives_a_kill_at_every_step(
    toy_bundle: Path, tmp_path: Path, verb: str, outcomes: set[tuple[str, ...]]
) -> None:
    check_change(verb, outcomes, toy_bundle, tmp_path, None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_first_publish_survives_a_kill_at_every_step(toy_bundle: Path, tmp_path: Path) -> None:
    check_first_publish(toy_bundle, tmp_path, None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_next_publish_survives_a_kill_at_every_step(toy_bundle: Path, tmp_path: Path) -> None:
    check_next_publish(toy_bundle, tmp_path, None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_export_survives_a_kill_at_every_step(toy_run: Path, toy_bundle: Path, tmp_path: Path) -> None:
    check_export(toy_run, toy_bundle, tmp_path, None)


def test_job_that_fails_is_not_taken_for_a_kill(toy_bundle: Path, tmp_path: Path) -> None:
    job = Job(verb="rollback", source=str(toy_bundle), place=str(tmp_path / "none"), step=0)
    with pytest.raises(AssertionError, match="failed"):
        run_jobs([job], exported=toy_bundle)


def test_leftovers_of_a_killed_export_are_swept(toy_run: Path, tmp_path: Path) -> None:
    (tmp_path / ".bundle.18a0000000000000.abcdefgh.partial").mkdir()
    (tmp_path / ".bundle.18a0000000000000.abcdefgh.partial" / "model.onnx").write_bytes(b"half")
    export_onnx(toy_run, out=tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
