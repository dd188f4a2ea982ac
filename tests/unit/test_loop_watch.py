"""What users make of a version, beside the version before."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from artefacts.loop_cycles import hour, publish_found, publish_twice, record, rows_found, shop_bundle, with_repository
from artefacts.shop_logs import LOOP, Shop, leave_journal, with_items

from polyrank.errors import DataError
from polyrank.export import rollback
from polyrank.loop import Cycle, History, Loop
from polyrank.loop.findings import TaskWatch, WatchFound
from polyrank.loop.steps import Done, Waiting
from polyrank.loop.steps.watch import WatchStep


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of the shop's model."""
    folder = tmp_path_factory.mktemp("versions")
    loop = Loop.load(Shop.open(folder).settings)
    publish_twice(loop, shop_bundle(folder))
    return loop.repository


@pytest.fixture
def shop(tmp_path: Path, repository: Path) -> Shop:
    """A shop in which version 2 went live after four hours of version 1."""
    opened = Shop.open(tmp_path)
    with_repository(Loop.load(opened.settings), repository)
    opened.show(hours=(0, 4), rows=800, version=1)
    return opened


def watch(shop: Shop, *, version: int = 2, before: int | None = 1) -> Done | Waiting:
    loop = Loop.load(shop.settings)
    cycle = Cycle(loop, 1, ())
    cycle = Cycle(loop, 1, record(cycle, rows_found(4)).records)
    cycle = Cycle(loop, 1, (*cycle.records, *record(Cycle(loop, 9), publish_found(version, before)).records))
    return WatchStep().run(cycle, History([]))


def found(shop: Shop, *, version: int = 2, before: int | None = 1) -> WatchFound:
    result = watch(shop, version=version, before=before)
    assert isinstance(result, Done)
    assert isinstance(result.found, WatchFound)
    return result.found


def waits(shop: Shop) -> str:
    result = watch(shop)
    assert isinstance(result, Waiting)
    return result.reason


def click(watched: WatchFound) -> TaskWatch:
    return watched.tasks[0]


def set_watch(shop: Shop, *lines: str) -> None:
    shop.settings.write_text("\n".join([LOOP, *lines, ""]))


def test_version_that_is_as_good_stays(shop: Shop) -> None:
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    watched = found(shop)
    assert (watched.outcome, watched.ends, watched.compared) == ("kept", True, "before")
    assert watched.reason.startswith("not surely worse than the version before by more than 5.0%: click 0.2")


def test_version_that_is_worse_does_not_end_the_cycle(shop: Shop) -> None:
    shop.show(hours=(4, 8), rows=800, version=2, taste=0.4, seed=1)
    watched = found(shop)
    assert (watched.outcome, watched.ends) == ("worse", False)
    assert watched.reason.startswith("surely worse than the version before by more than 5.0%: click by at least ")


def test_means_are_those_of_due_labels(shop: Shop) -> None:
    shop.show(hours=(4, 8), rows=800, version=2, taste=0.4, seed=1)
    watched = found(shop)
    shown = {each: pq.read_table(next((shop.folder / "impressions").glob(f"*-{each}-*"))) for each in (1, 2)}
    clicks = {each: pq.read_table(next((shop.folder / "outcomes").glob(f"*-{each}-*"))).to_pylist() for each in (1, 2)}
    assert watched.since is not None
    assert watched.until is not None
    first = watched.since - (watched.until - watched.since)
    means = []
    for version in (1, 2):
        clicked = {each["request_id"] for each in clicks[version] if each["task"] == "click"}
        due = [row for row in shown[version].to_pylist() if first <= row["shown_at"] < watched.until]
        means.append(np.mean([row["request_id"] in clicked for row in due]))
    task = click(watched)
    assert [task.mean_before, task.mean] == pytest.approx(means, abs=1e-9)
    assert task.worse_by == pytest.approx(1 - means[1] / means[0])
    assert task.surely_worse_by is not None
    assert task.worse_by is not None
    assert task.surely_worse_by < task.worse_by


def test_worse_within_the_tolerance_stays(shop: Shop) -> None:
    set_watch(shop, "tolerance = 0.9")
    shop.show(hours=(4, 8), rows=800, version=2, taste=0.4, seed=1)
    assert found(shop).outcome == "kept"


def test_task_of_which_less_is_better_is_worse_when_it_rises(shop: Shop) -> None:
    set_watch(shop, 'lower_is_better = ["click"]', 'tasks = ["click"]')
    shop.show(hours=(4, 8), rows=800, version=2, taste=1.6, seed=1)
    watched = found(shop)
    assert watched.outcome == "worse"
    assert [each.task for each in watched.tasks] == ["click"]


def test_few_impressions_are_waited_for(shop: Shop) -> None:
    shop.show(hours=(4, 5), rows=60, version=2, seed=1)
    assert waits(shop) == "impressions of version 2: 60 of 100"


def test_impressions_whose_windows_are_open_are_waited_for(shop: Shop) -> None:
    shop.show(hours=(4, 5), rows=110, version=2, seed=1)
    assert waits(shop).startswith("impressions of version 2 whose windows are over: ")
    assert waits(shop).endswith(" of 100")


def test_version_must_have_been_shown_for_a_while(shop: Shop) -> None:
    set_watch(shop, 'for = "8h"')
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    assert waits(shop) == "impressions of version 2 whose windows are over to go back 8h: 3.7 h so far"


def test_version_before_is_compared_over_as_long_a_time(shop: Shop) -> None:
    shop.show(hours=(4, 5), rows=400, version=2, seed=1)
    watched = found(shop)
    assert watched.since is not None
    assert watched.until is not None
    begins = watched.since - (watched.until - watched.since)
    times = pq.read_table(next((shop.folder / "impressions").glob("*-1-*")))["shown_at"].to_pylist()
    assert watched.impressions_before == sum(begins <= time < watched.since for time in times)
    assert watched.impressions_before < 200


def test_few_lucky_impressions_of_the_version_before_roll_nothing_back(tmp_path: Path, repository: Path) -> None:
    shop = Shop.open(tmp_path)
    with_repository(Loop.load(shop.settings), repository)
    shop.show(hours=(0, 4), rows=60, version=1, taste=50.0)
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    watched = found(shop)
    assert (watched.outcome, watched.compared) == ("kept", "nothing")


def test_version_that_was_never_shown_compares_with_nothing(tmp_path: Path, repository: Path) -> None:
    shop = Shop.open(tmp_path)
    with_repository(Loop.load(shop.settings), repository)
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    watched = found(shop)
    assert (watched.outcome, watched.compared) == ("kept", "nothing")
    assert watched.reason == "version 1 has 0 of 100 impressions: nothing to compare with"


def test_first_version_stays(shop: Shop) -> None:
    watched = found(shop, before=None)
    assert (watched.outcome, watched.reason) == ("kept", "there is no version before it to compare with")


def test_classes_alone_leave_nothing_to_watch(shop: Shop) -> None:
    schema = shop.folder / "schema.toml"
    schema.write_text(schema.read_text().replace('kind = "binary"', 'kind = "multiclass", num_classes = 2'))
    watched = found(shop)
    assert (watched.outcome, watched.ends, watched.compared) == ("kept", True, "nothing")
    assert watched.reason == "there is no task to watch; labels of classes have no mean"


def test_impressions_of_a_writer_that_died_are_watched(shop: Shop) -> None:
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    leave_journal(next((shop.folder / "impressions").glob("*-2-*")))
    assert found(shop).impressions > 600


def test_record_of_a_watch_names_the_items_too(shop: Shop) -> None:
    with_items(shop)
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    result = watch(shop)
    assert isinstance(result, Done)
    assert [path.name for path in result.inputs] == ["impressions", "outcomes", "items.parquet"]


def test_version_that_is_not_live_any_more_is_not_watched(shop: Shop) -> None:
    rollback(shop.folder / "models", name="shop")
    watched = found(shop)
    assert (watched.outcome, watched.ends, watched.reason) == (
        "superseded",
        True,
        "version 3 is live, and not version 2",
    )


def test_arms_are_compared_where_both_have_enough(shop: Shop) -> None:
    shop.show(hours=(4, 8), rows=800, version=2, arm="new", taste=0.4, seed=1)
    shop.show(hours=(4, 8), rows=600, version=1, arm="old", taste=0.4, seed=2)
    watched = found(shop)
    assert (watched.outcome, watched.compared) == ("kept", "arms")
    assert watched.impressions_before < 600


def test_time_is_not_taken_for_a_version_between_arms(shop: Shop) -> None:
    set_watch(shop, 'compare = "before"')
    shop.show(hours=(4, 8), rows=800, version=2, arm="new", taste=0.4, seed=1)
    shop.show(hours=(4, 8), rows=600, version=1, arm="old", taste=0.4, seed=2)
    assert found(shop).outcome == "worse"


def test_arms_that_are_asked_for_are_waited_for(shop: Shop) -> None:
    set_watch(shop, 'compare = "arms"')
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    assert waits(shop) == "impressions in arms of version 2 and of version 1: 0 and 0 of 100"


def test_impressions_without_versions_are_refused(shop: Shop) -> None:
    file = next((shop.folder / "impressions").iterdir())
    pq.write_table(pq.read_table(file).drop_columns(["version"]), file)
    with pytest.raises(
        DataError, match=r"\.parquet: column 'version' is missing \(the file has: request_id, shown_at, model, "
    ):
        watch(shop)


def test_missing_outcomes_are_waited_for(tmp_path: Path, repository: Path) -> None:
    shop = Shop.open(tmp_path)
    with_repository(Loop.load(shop.settings), repository)
    assert waits(shop).startswith(f"impressions: {tmp_path}/impressions does not exist")


def test_watch_says_since_when_it_looked(shop: Shop) -> None:
    shop.show(hours=(4, 8), rows=800, version=2, seed=1)
    watched = found(shop)
    assert watched.since is not None
    assert hour(4) <= watched.since < hour(4.1)
