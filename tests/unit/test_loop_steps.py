"""The steps between rows and the watch, on the cycles of a small shop."""

import contextlib
import shutil
import types
from pathlib import Path
from typing import TypeVar

import msgspec
import pyarrow.parquet as pq
import pytest
from artefacts.shop_logs import Shop

from polyrank.errors import ParityError, RepositoryError
from polyrank.export import Bundle, LiveCheck, list_versions, publish
from polyrank.loop import Cycle, History, Loop, run_loop
from polyrank.loop.cycles import STEPS
from polyrank.loop.findings import (
    DriftFound,
    EvaluateFound,
    Found,
    ParityFound,
    PublishFound,
    RollbackFound,
    RowsFound,
    TrainFound,
    VerifyFound,
)
from polyrank.loop.live import live_version
from polyrank.loop.steps import Done, Step
from polyrank.loop.steps.drift import DriftStep
from polyrank.loop.steps.evaluate import EvaluateStep
from polyrank.loop.steps.parity import ParityStep, options_of
from polyrank.loop.steps.publish import PublishStep
from polyrank.loop.steps.rollback import RollbackStep
from polyrank.loop.steps.train import TrainStep, start_of
from polyrank.loop.steps.verify import VerifyStep
from polyrank.models import TrainedRanker
from polyrank.run_record import CONFIG_FILE
from polyrank.train import TrainConfig
from polyrank.train.checkpoints import checkpoint_path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop after a first cycle, and a second one whose version is watched."""
    shop = Shop.open(tmp_path_factory.mktemp("ran"))
    shop.show(hours=(0, 6), rows=900)
    list(run_loop(Loop.load(shop.settings)))
    shop.show(hours=(6, 12), rows=900, version=1, seed=1)
    list(run_loop(Loop.load(shop.settings)))
    return shop


@pytest.fixture
def shop(ran: Shop, tmp_path: Path) -> Shop:
    """A copy of it that a test may change."""
    shutil.copytree(ran.folder, tmp_path / "shop")
    return Shop(tmp_path / "shop")


AFound = TypeVar("AFound", bound=Found)


def rerun(shop: Shop, step: Step, kind: type[AFound], *, number: int = 2) -> AFound:
    """Run a step as if it and those after it had not been done yet; return what it finds."""
    loop = Loop.load(shop.settings)
    history = History.read(loop)
    cycle = history.cycles[number - 1]
    before = tuple(each for each in cycle.records if STEPS.index(each.step) < STEPS.index(step.name))
    result = step.run(Cycle(loop, number, before), history.before(cycle))
    assert isinstance(result, Done)
    assert isinstance(result.found, kind)
    return result.found


def recorded(shop: Shop, kind: type[AFound], number: int = 2) -> AFound:
    return History.read(Loop.load(shop.settings)).cycles[number - 1].found(kind)


def folder(shop: Shop, number: int = 2) -> Path:
    return shop.folder / "loop" / "cycles" / f"{number:06d}"


def versions(shop: Shop) -> list[int]:
    return [each.version for each in list_versions(shop.folder / "models")]


def change(shop: Shop, old: str, new: str, file: str = "loop.toml") -> None:
    text = (shop.folder / file).read_text()
    assert old in text
    (shop.folder / file).write_text(text.replace(old, new))


def cut_off(*_: object) -> None:
    raise KeyboardInterrupt


def move_prices(shop: Shop) -> None:
    rows = pq.read_table(folder(shop) / "rows" / "new.parquet")
    prices = [100.0 * price for price in rows["price"].to_pylist()]
    pq.write_table(rows.set_column(2, "price", [prices]), folder(shop) / "rows" / "new.parquet")


def test_first_cycle_has_nothing_to_drift_from(shop: Shop) -> None:
    found = rerun(shop, DriftStep(), DriftFound, number=1)
    assert (found.outcome, found.reason) == ("not compared", "no earlier training to compare with")


def test_rows_alike_pass(shop: Shop) -> None:
    found = rerun(shop, DriftStep(), DriftFound)
    assert (found.outcome, found.reference, found.ends) == ("passed", 1, False)
    assert found.reason.endswith("0 of 3 features drifted; 0 of 2 labels drifted")


def test_rows_that_moved_are_warned_of(shop: Shop) -> None:
    move_prices(shop)
    found = rerun(shop, DriftStep(), DriftFound)
    assert (found.outcome, found.ends) == ("warned", False)
    assert [line.split(":")[0] for line in found.moved] == ["feature price"]
    assert (folder(shop) / "drift.json").is_file()


def test_rows_that_moved_end_the_cycle_where_settings_say_so(shop: Shop) -> None:
    move_prices(shop)
    change(shop, "[export]", '[drift]\naction = "stop"\n[export]')
    found = rerun(shop, DriftStep(), DriftFound)
    assert (found.outcome, found.ends) == ("stopped", True)


def test_rows_that_are_gone_are_not_compared(shop: Shop) -> None:
    shutil.rmtree(folder(shop, 1) / "rows")
    assert rerun(shop, DriftStep(), DriftFound).reason == "the rows of cycle 1 are gone"


def test_labels_that_are_not_due_in_all_new_rows_are_not_compared(shop: Shop) -> None:
    loop = Loop.load(shop.settings)
    cycle = History.read(loop).cycles[1]
    rows = recorded(shop, RowsFound)
    longer = msgspec.structs.replace(rows, windows_s={"click": 1_800.0, "buy": 7_200.0})
    records = (msgspec.structs.replace(cycle.records[0], found=longer),)
    result = DriftStep().run(Cycle(loop, 2, records), History.read(loop).before(cycle))
    assert isinstance(result.found, DriftFound)
    assert result.found.not_compared == ("buy",)
    assert result.found.reason.endswith("0 of 1 labels drifted")


def test_first_cycle_trains_cold(shop: Shop) -> None:
    assert recorded(shop, TrainFound, 1).started_from is None
    assert "cold: nothing is live" in recorded(shop, TrainFound, 1).reason


def test_next_cycle_starts_from_the_run_that_is_live(shop: Shop) -> None:
    found = recorded(shop, TrainFound)
    assert found.started_from == recorded(shop, TrainFound, 1).run_id
    assert found.run_id == TrainedRanker.load(folder(shop) / "run").run_id
    assert "from the run of version 1, which is live" in found.reason


def test_hold_out_is_not_trained_on(shop: Shop) -> None:
    rows = recorded(shop, RowsFound)
    table = pq.read_table(folder(shop) / "rows")
    learned = [time for time in table["time_ms"].to_pylist() if time < 1_000 * (rows.until.timestamp() - 1_800 - 3_600)]
    assert recorded(shop, TrainFound).rows == len(learned)


def test_run_that_is_there_is_not_trained_again(shop: Shop) -> None:
    before = (folder(shop) / "run" / "times.json").stat().st_mtime_ns
    assert rerun(shop, TrainStep(), TrainFound).run_id == recorded(shop, TrainFound).run_id
    assert (folder(shop) / "run" / "times.json").stat().st_mtime_ns == before


def test_run_of_other_settings_is_trained_anew(shop: Shop) -> None:
    change(shop, "batch_size = 64", "batch_size = 128", "train.toml")
    assert rerun(shop, TrainStep(), TrainFound).run_id != recorded(shop, TrainFound).run_id


def test_checkpoint_of_other_settings_is_trained_anew(shop: Shop) -> None:
    run = folder(shop) / "run"
    shutil.rmtree(run)
    change(shop, "epochs = 2", "epochs = 4", "train.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polyrank.train.run.write_run", cut_off)
        with pytest.raises(KeyboardInterrupt):
            rerun(shop, TrainStep(), TrainFound)
    assert checkpoint_path(run).is_file()
    change(shop, "epochs = 4", "epochs = 2", "train.toml")
    assert rerun(shop, TrainStep(), TrainFound).outcome == "trained"
    assert TrainConfig.load(run / CONFIG_FILE).epochs == 2
    assert not checkpoint_path(run).exists()


def test_version_of_no_run_of_the_loop_is_trained_cold_beside(shop: Shop) -> None:
    shutil.rmtree(folder(shop) / "run")
    publish(folder(shop) / "bundle", shop.folder / "models")
    found = rerun(shop, TrainStep(), TrainFound)
    assert found.started_from is None
    assert "cold: version 3, which is live, is of no run of this loop; name it as $.train.start" in found.reason


def test_training_starts_from_the_run_that_settings_name(shop: Shop) -> None:
    shutil.copytree(folder(shop, 1) / "run", shop.folder / "older")
    for each in (folder(shop) / "run", shop.folder / "models"):
        shutil.rmtree(each)
    change(shop, 'config = "train.toml"', 'config = "train.toml"\nstart = "older"')
    found = rerun(shop, TrainStep(), TrainFound)
    assert found.started_from == recorded(shop, TrainFound, 1).run_id
    assert "from $.train.start" in found.reason


def test_first_run_passes_and_says_why(shop: Shop) -> None:
    found = recorded(shop, EvaluateFound, 1)
    assert (found.outcome, found.live_version) == ("passed", None)
    assert found.reason == "no version is live, so there is none to be compared with"
    assert {gate.verdict for gate in found.tasks} == {"not judged"}


def test_hold_out_is_what_judges(shop: Shop) -> None:
    rows, found = recorded(shop, RowsFound), recorded(shop, EvaluateFound)
    end = 1_000 * (rows.until.timestamp() - 1_800)
    times = pq.read_table(folder(shop) / "rows")["time_ms"].to_pylist()
    assert found.rows == sum(end - 3_600_000 <= time < end for time in times)
    assert (found.live_version, found.live_run_id) == (1, recorded(shop, TrainFound, 1).run_id)


def test_run_that_is_no_better_ends_the_cycle(shop: Shop) -> None:
    change(shop, "tolerance = 0.5", "tolerance = 0")
    publish(folder(shop, 1) / "bundle", shop.folder / "models")
    found = rerun(shop, EvaluateStep(), EvaluateFound)
    assert (found.outcome, found.ends) == ("failed", True)
    assert "beyond the tolerance of 0" in found.reason


def test_hold_out_without_labels_judges_nothing(shop: Shop) -> None:
    change(shop, "min_rows = 20", "min_rows = 5_000")
    found = rerun(shop, EvaluateStep(), EvaluateFound)
    assert (found.outcome, found.ends) == ("failed", True)
    assert found.reason.startswith("no task could be judged: click: ")
    assert "labels, of 5,000 that it needs" in found.reason


def test_task_that_the_live_version_lacks_is_not_judged(shop: Shop) -> None:
    change(shop, 'name = "buy", kind', 'name = "purchase", kind', "schema.toml")
    change(shop, '"buy": 1800.0', '"purchase": 1800.0', "loop/cycles/000002/01-rows.json")
    shutil.rmtree(folder(shop) / "run")
    rerun(shop, TrainStep(), TrainFound)
    publish(folder(shop, 1) / "bundle", shop.folder / "models")
    found = rerun(shop, EvaluateStep(), EvaluateFound)
    assert [(gate.task, gate.verdict) for gate in found.tasks] == [("click", "passed"), ("purchase", "not judged")]
    assert found.tasks[1].reason == "version 3, which is live, has no such task"


def test_bundle_that_is_there_is_not_made_again(shop: Shop) -> None:
    before = (folder(shop) / "bundle" / "model.onnx").stat().st_mtime_ns
    assert rerun(shop, ParityStep(), ParityFound) == recorded(shop, ParityFound)
    assert (folder(shop) / "bundle" / "model.onnx").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["of another run", "damaged"])
def test_bundle_of_no_use_is_made_anew(shop: Shop, kind: str) -> None:
    shutil.rmtree(folder(shop) / "bundle")
    shutil.copytree(folder(shop, 1) / "bundle", folder(shop) / "bundle")
    if kind == "damaged":
        (folder(shop) / "bundle" / "golden.npz").unlink()
    rerun(shop, ParityStep(), ParityFound)
    assert Bundle.load(folder(shop) / "bundle").signature.run_id == recorded(shop, TrainFound).run_id


@pytest.mark.parametrize(
    "settings",
    [
        'rows_only = true\nembeddings = "fp16"',
        *(
            pytest.param(settings, marks=pytest.mark.slow)
            for settings in ('rows_only = true\nonnxruntime = "1.20"', "")
        ),
    ],
)
def test_bundle_of_other_settings_is_made_anew(shop: Shop, settings: str) -> None:
    change(shop, "rows_only = true", settings)
    before = (folder(shop) / "bundle" / "model.onnx").stat().st_mtime_ns
    rerun(shop, ParityStep(), ParityFound)
    assert (folder(shop) / "bundle" / "model.onnx").stat().st_mtime_ns > before


def test_pruning_goes_with_a_run_that_started_warm(shop: Shop) -> None:
    change(shop, "rows_only = true", "rows_only = true\nprune_rows = true")
    assert recorded(shop, TrainFound).started_from is not None
    assert rerun(shop, ParityStep(), ParityFound).outcome == "proven"


def test_export_has_the_options_of_the_settings(shop: Shop) -> None:
    change(shop, "rows_only = true", 'embeddings = "fp16"\nscore = "product"\ntop_k = 3\ntriton = "26.07"')
    options = options_of(Loop.load(shop.settings).settings.export)
    assert (options.triton, str(options.precision)) == ("26.07", "embeddings fp16, dense fp32")
    assert options.requests is not None
    assert (options.requests.combination, options.requests.top_k) == ("product", 3)


def test_publish_that_happened_is_recognised(shop: Shop) -> None:
    assert rerun(shop, PublishStep(), PublishFound) == recorded(shop, PublishFound)
    assert versions(shop) == [2, 1]


def test_half_a_publish_is_done_again(shop: Shop) -> None:
    change(shop, 'repository = "models"', 'repository = "models"\noptions = "serving.toml"')
    (shop.folder / "serving.toml").write_text("raw = true\n")
    found = rerun(shop, PublishStep(), PublishFound)
    assert (found.version, found.before) == (3, 1)
    assert (shop.folder / "models" / "shop_raw" / "3").is_dir()


def test_publish_names_the_version_before(shop: Shop) -> None:
    assert (recorded(shop, PublishFound, 1).version, recorded(shop, PublishFound, 1).before) == (1, None)
    assert (recorded(shop, PublishFound).version, recorded(shop, PublishFound).before) == (2, 1)
    assert recorded(shop, PublishFound).reason == "shop version 2, after version 1"


def test_version_whose_files_changed_is_not_proven(shop: Shop) -> None:
    with (shop.folder / "models" / "shop" / "2" / "model.onnx").open("ab") as file:
        file.write(b"\0\0")
    with pytest.raises(RepositoryError, match=r"models/shop/2/model\.onnx"):
        rerun(shop, VerifyStep(), VerifyFound)


def test_version_that_is_not_live_any_more_is_not_proven(shop: Shop) -> None:
    publish(folder(shop) / "bundle", shop.folder / "models")
    found = rerun(shop, VerifyStep(), VerifyFound)
    assert (found.outcome, found.ends, found.reason) == ("superseded", True, "version 3 is live, and not version 2")


def test_server_that_answers_otherwise_is_not_proven(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    check = LiveCheck(
        model="shop",
        version=2,
        run_id="a",
        bundle=folder(shop) / "bundle",
        rows=33,
        differences={"click": 1e-7, "buy": 0.25},
        tolerance=1e-5,
        p50_ms=1.0,
        p99_ms=1.0,
    )
    server = types.SimpleNamespace(url="localhost:8000")
    monkeypatch.setattr("polyrank.loop.steps.verify.control", lambda _loop: contextlib.nullcontext(server))
    monkeypatch.setattr("polyrank.export.check_live", lambda *_, **__: [check])
    with pytest.raises(ParityError) as refused:
        rerun(shop, VerifyStep(), VerifyFound)
    assert str(refused.value) == (
        "shop version 2 at localhost:8000: output 'buy' differs by 2.5e-01 (limit 1e-05); go back with: "
        f"polyrank rollback {shop.folder}/models --name shop --url localhost:8000"
    )


def test_damaged_version_that_is_live_is_named(shop: Shop) -> None:
    (shop.folder / "models" / "shop" / "2" / "run.json").write_text("[]")
    with pytest.raises(RepositoryError, match=r"models/shop/2/run\.json cannot be read"):
        live_version(Loop.load(shop.settings))


def test_rollback_brings_the_version_before_back(shop: Shop) -> None:
    found = rerun(shop, RollbackStep(), RollbackFound)
    assert (found.version, found.origin, found.run_id) == (3, 1, recorded(shop, TrainFound, 1).run_id)
    assert versions(shop) == [3, 2, 1]


def test_rollback_that_happened_is_recognised(shop: Shop) -> None:
    first = rerun(shop, RollbackStep(), RollbackFound)
    assert rerun(shop, RollbackStep(), RollbackFound) == first
    assert versions(shop) == [3, 2, 1]


def test_version_of_somebody_else_is_not_rolled_back(shop: Shop) -> None:
    publish(folder(shop) / "bundle", shop.folder / "models")
    found = rerun(shop, RollbackStep(), RollbackFound)
    assert (found.outcome, found.ends, found.version) == ("superseded", True, 3)
    assert found.reason == "version 3 is live, and not version 2"


def test_next_cycle_after_a_rollback_starts_from_the_older_run(shop: Shop) -> None:
    rerun(shop, RollbackStep(), RollbackFound)
    loop = Loop.load(shop.settings)
    assert start_of(loop, History.read(loop))[0] == folder(shop, 1) / "run"
