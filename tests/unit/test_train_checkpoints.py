import logging
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from toy import toy_table

from polyrank.errors import ConfigError, DataError, OutputError
from polyrank.features import CategoricalFeature
from polyrank.schema import Schema
from polyrank.train import (
    BalancingConfig,
    CheckpointConfig,
    EarlyStoppingConfig,
    ModelConfig,
    OptimizerConfig,
    RareIdsConfig,
    TrainConfig,
    ValidationConfig,
    fit,
)
from polyrank.train.checkpoint_file import Checkpoint, read_checkpoint, write_checkpoint
from polyrank.train.checkpoints import Checkpoints, checkpoint_path, refuse_checkpoint

ROWS = toy_table(600)
SMALL = TrainConfig(batch_size=64, epochs=3, checkpoint=CheckpointConfig(every_steps=1))
STEPS = 9  # an epoch has 540 rows
FULL = TrainConfig(
    batch_size=64,
    epochs=3,
    ema_decay=0.9,
    model=ModelConfig(dropout=0.2),
    optimizer=OptimizerConfig(embedding="sparse_adam", warmup_steps=5, schedule="cosine", clip_norm=1.0),
    rare_ids=RareIdsConfig(dropout=0.1, min_count=2),
    early_stopping=EarlyStoppingConfig(metric="click.auc", patience=9),
    validation=ValidationConfig(every_steps=4),
    balancing=BalancingConfig(method="uncertainty"),
    checkpoint=CheckpointConfig(every_steps=1),
)


class Interrupted(BaseException):
    """What ends a training right after a checkpoint."""


def interrupt_after(saves: int, patch: pytest.MonkeyPatch) -> None:
    save, done = Checkpoints.save, [0]

    def counted(self: Checkpoints, state: Any) -> None:
        save(self, state)
        done[0] += 1
        if done[0] == saves:
            raise Interrupted

    patch.setattr(Checkpoints, "save", counted)


def train(out: Path, config: TrainConfig, *, rows: pa.Table = ROWS, schema: Schema, resume: bool = False) -> Path:
    return fit(schema, rows, out=out, config=config, resume=resume, progress=False).path


def interrupted(out: Path, config: TrainConfig, schema: Schema, *, saves: int) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(saves, patch)
        with pytest.raises(Interrupted):
            train(out, config, schema=schema)
    return checkpoint_path(out)


CONFIGS = {
    "defaults": SMALL,
    "everything": FULL,
    "mmoe with dwa": msgspec.structs.replace(
        SMALL, model=ModelConfig(architecture="mmoe"), balancing=BalancingConfig(method="dwa")
    ),
}


@pytest.mark.parametrize("saves", [2, STEPS, STEPS + 4], ids=["middle", "end of an epoch", "second epoch"])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_resumed_run_is_that_of_an_uninterrupted_one(
    config: TrainConfig, saves: int, toy_schema: Schema, tmp_path: Path
) -> None:
    whole = train(tmp_path / "whole", config, schema=toy_schema)
    interrupted(tmp_path / "run", config, toy_schema, saves=saves)
    resumed = train(tmp_path / "run", config, schema=toy_schema, resume=True)
    names = ["weights.safetensors", "schema.toml", "config.toml", "metrics.json"]
    assert [(whole / name).read_bytes() for name in names] == [(resumed / name).read_bytes() for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("saves", [7, 25], ids=["before layers are compiled", "after"])
def test_resumed_run_with_compiled_layers_is_that_of_an_uninterrupted_one(
    saves: int, toy_schema: Schema, tmp_path: Path
) -> None:
    config = msgspec.structs.replace(FULL, compile=True, epochs=4)
    whole = train(tmp_path / "whole", config, schema=toy_schema)
    interrupted(tmp_path / "run", config, toy_schema, saves=saves)
    resumed = train(tmp_path / "run", config, schema=toy_schema, resume=True)
    assert (whole / "weights.safetensors").read_bytes() == (resumed / "weights.safetensors").read_bytes()


def test_run_can_be_interrupted_again_and_again(toy_schema: Schema, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", FULL, schema=toy_schema)
    interrupted(tmp_path / "run", FULL, toy_schema, saves=5)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(7, patch)
        with pytest.raises(Interrupted):
            train(tmp_path / "run", FULL, schema=toy_schema, resume=True)
    resumed = train(tmp_path / "run", FULL, schema=toy_schema, resume=True)
    assert (whole / "weights.safetensors").read_bytes() == (resumed / "weights.safetensors").read_bytes()


def test_checkpoints_change_no_weight(toy_schema: Schema, tmp_path: Path) -> None:
    rare = msgspec.structs.replace(FULL, checkpoint=CheckpointConfig())
    runs = [train(tmp_path / "a", FULL, schema=toy_schema), train(tmp_path / "b", rare, schema=toy_schema)]
    weights = [(run / "weights.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]


def test_whole_run_leaves_no_checkpoint(toy_schema: Schema, tmp_path: Path) -> None:
    train(tmp_path / "run", SMALL, schema=toy_schema)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_checkpoint_is_refused_without_resume(toy_schema: Schema, tmp_path: Path) -> None:
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    with pytest.raises(OutputError, match=r"run\.checkpoint is what an interrupted .* go on from it with --resume"):
        train(tmp_path / "run", SMALL, schema=toy_schema)


def test_job_goes_on_from_its_own_checkpoint(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "nightly-17")
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=2)
    caplog.set_level(logging.INFO, "polyrank")
    train(tmp_path / "run", SMALL, schema=toy_schema)
    assert "epoch 1, 2 of its 9 steps done" in caplog.text


@pytest.mark.parametrize(("before", "now"), [("nightly-16", "nightly-17"), ("none", "none")])
def test_checkpoint_of_another_job_is_refused(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, now: str
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", before)
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", now)
    with pytest.raises(OutputError, match=r"run\.checkpoint is what an interrupted training left"):
        train(tmp_path / "run", SMALL, schema=toy_schema)


def test_damaged_checkpoint_is_of_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "nightly-17")
    (tmp_path / "run.checkpoint").write_bytes(b"cut")
    with pytest.raises(OutputError, match=r"run\.checkpoint is what an interrupted training left"):
        refuse_checkpoint(tmp_path / "run")


def test_own_job_with_another_configuration_is_refused(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "nightly-17")
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    with pytest.raises(DataError, match=r"is of another training: config\.seed is 0 there and 1 here"):
        train(tmp_path / "run", msgspec.structs.replace(SMALL, seed=1), schema=toy_schema)


def test_resume_without_checkpoint_begins_and_says_so(
    toy_schema: Schema, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "polyrank")
    train(tmp_path / "run", SMALL, schema=toy_schema, resume=True)
    assert f"there is no checkpoint {tmp_path}/run.checkpoint: training begins at the first step" in caplog.text


def test_resume_says_where_it_goes_on(toy_schema: Schema, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = interrupted(tmp_path / "run", SMALL, toy_schema, saves=STEPS + 4)
    caplog.set_level(logging.INFO, "polyrank")
    train(tmp_path / "run", SMALL, schema=toy_schema, resume=True)
    assert f"training goes on from {path}: epoch 2, 4 of its 9 steps done" in caplog.text


def test_how_often_checkpoints_are_kept_may_change(toy_schema: Schema, tmp_path: Path) -> None:
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=2)
    train(
        tmp_path / "run",
        msgspec.structs.replace(SMALL, checkpoint=CheckpointConfig()),
        schema=toy_schema,
        resume=True,
    )


def test_other_config_is_refused_with_what_differs(toy_schema: Schema, tmp_path: Path) -> None:
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    other = msgspec.structs.replace(SMALL, optimizer=OptimizerConfig(lr=0.5))
    with pytest.raises(DataError, match=r"of another training: config\.optimizer\.lr is 0\.001 there and 0\.5 here"):
        train(tmp_path / "run", other, schema=toy_schema, resume=True)


def test_other_schema_is_refused_with_what_differs(toy_schema: Schema, tmp_path: Path) -> None:
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    (first, *rest) = toy_schema.features
    assert isinstance(first, CategoricalFeature)
    other = msgspec.structs.replace(toy_schema, features=(msgspec.structs.replace(first, num_buckets=501), *rest))
    with pytest.raises(DataError, match=r"schema\.features\[0\]\.num_buckets is 500 there and 501 here"):
        train(tmp_path / "run", SMALL, schema=other, resume=True)


def test_other_number_of_rows_is_refused(toy_schema: Schema, tmp_path: Path) -> None:
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    with pytest.raises(DataError, match=r"data\.train_rows is 540 there and 450 here"):
        train(tmp_path / "run", SMALL, rows=toy_table(500), schema=toy_schema, resume=True)


def test_other_content_of_the_rows_is_refused(toy_schema: Schema, tmp_path: Path) -> None:
    interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    with pytest.raises(DataError, match=r"data\.content is '\w{16}' there and '\w{16}' here"):
        train(tmp_path / "run", SMALL, rows=toy_table(600, 1), schema=toy_schema, resume=True)


@pytest.mark.parametrize("place", [0, 9, 2_000, -1])
def test_changed_byte_is_found(place: int, toy_schema: Schema, tmp_path: Path) -> None:
    path = interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"run\.checkpoint is damaged: .*; remove it, and train from the first step$"):
        train(tmp_path / "run", SMALL, schema=toy_schema, resume=True)


@pytest.mark.parametrize("kept", [0, 7, 1_000, 100_000])
def test_cut_file_is_found(kept: int, toy_schema: Schema, tmp_path: Path) -> None:
    path = interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"run\.checkpoint is damaged: "):
        train(tmp_path / "run", SMALL, schema=toy_schema, resume=True)


def test_checkpoint_without_a_tensor_is_refused(toy_schema: Schema, tmp_path: Path) -> None:
    path = interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    tensors, values = read_checkpoint(path)
    kept = {name: tensor.clone() for name, tensor in tensors.items() if name != "rows.sums.0"}
    write_checkpoint(path, Checkpoint(kept, values))
    with pytest.raises(DataError, match=r"run\.checkpoint does not fit the model: 'sums\.0'; remove it"):
        train(tmp_path / "run", SMALL, schema=toy_schema, resume=True)


def test_checkpoint_that_cannot_be_written_is_a_warning(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(path: Path, _: Checkpoint) -> None:
        raise OutputError(f"cannot write {path}: no space left on device")

    monkeypatch.setattr("polyrank.train.checkpoints.write_checkpoint", fail)
    train(tmp_path / "run", SMALL, schema=toy_schema)
    assert "no checkpoint, and training goes on: cannot write" in caplog.text


def test_any_reader_of_safetensors_reads_a_checkpoint(toy_schema: Schema, tmp_path: Path) -> None:
    path = interrupted(tmp_path / "run", SMALL, toy_schema, saves=1)
    own, found = read_checkpoint(path), load_file(path)
    assert set(found) == {*own.tensors, "checksum"}
    assert torch.equal(found["model.network.towers.output.weight"], own.tensors["model.network.towers.output.weight"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int64, torch.int32, torch.uint8, torch.bool])
def test_tensors_of_every_type_come_back(dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = {"b": torch.tensor([[0, 1], [1, 0]]).to(dtype), "a": torch.tensor(1).to(dtype), "c": torch.empty(0, 3)}
    write_checkpoint(tmp_path / "file", Checkpoint(tensors, {"cost": float("inf")}))
    found = read_checkpoint(tmp_path / "file")
    assert {name: (value.dtype, value.tolist()) for name, value in found.tensors.items()} == {
        name: (value.dtype, value.tolist()) for name, value in tensors.items()
    }
    assert found.values == {"cost": float("inf")}


def test_checkpoint_is_due_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("polyrank.train.checkpoints.time.monotonic", lambda: now[0])
    checkpoints = Checkpoints(tmp_path / "file", CheckpointConfig(every_minutes=2), {}, is_used=False)
    assert not checkpoints.is_due(1)
    now[0] = 220.0
    assert checkpoints.is_due(1)
    checkpoints.save(lambda: Checkpoint({}, {}))
    assert not checkpoints.is_due(1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"every_minutes": 0.0}, r"\$\.checkpoint\.every_minutes must be above 0, got 0\.0"),
        ({"every_steps": 0}, r"\$\.checkpoint\.every_steps must be in \[1, 2\*\*31\), got 0"),
    ],
)
def test_wrong_frequency_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CheckpointConfig(**values)
