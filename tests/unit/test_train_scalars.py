import sys
import threading
import time
from pathlib import Path

import pytest
from toy import toy_table

from polyrank.errors import MissingExtraError, OutputError
from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit
from polyrank.train.scalars import Scalars


def test_event_files_hold_losses_metrics_and_rates(toy_schema: Schema, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = TrainConfig(batch_size=64, epochs=2)
    fit(
        toy_schema, toy_table(300), out=tmp_path / "run", config=config, tensorboard=tmp_path / "events", progress=False
    )
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert {"loss/click", "auc/click", "rmse/rating", "lr", "rows_per_s"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss/click")] == [5, 10]


def test_training_ends_the_thread_that_writes_events(toy_schema: Schema, tmp_path: Path) -> None:
    before = threading.active_count()
    fit(toy_schema, toy_table(100), out=tmp_path / "run", tensorboard=tmp_path / "events", progress=False)
    assert threading.active_count() == before


def test_rows_per_second_count_partial_batches_as_they_are(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Scalars, "write", lambda _self, _steps, rows, *_: seen.append(rows))
    config = TrainConfig(batch_size=64, epochs=2)
    fit(toy_schema, toy_table(300), out=tmp_path / "run", config=config, tensorboard=tmp_path, progress=False)
    assert seen == [270, 540]


def test_missing_tensorboard_names_the_extra(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'polyrank\[tensorboard\]'"):
        fit(toy_schema, toy_table(50), out=tmp_path / "run", tensorboard=tmp_path / "events")


def test_folder_that_cannot_be_made_is_told(toy_schema: Schema, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        OutputError, match=r"^cannot write .*/file/events: .*; choose another folder for --tensorboard$"
    ):
        fit(toy_schema, toy_table(50), out=tmp_path / "run", tensorboard=tmp_path / "file" / "events")


def test_rows_per_second_count_from_the_start_of_steps(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    scalars = Scalars(tmp_path)
    scalars.start(10**9)
    time.sleep(0.01)
    scalars.write(1, 10**9 + 50, 0.1, {}, {})
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Scalars("rows_per_s")[0].value <= 50 / 0.01
