"""A training that leaves the finite numbers ends where it does, says where, and keeps its last good checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy import toy_table

from polyrank.errors import DivergedError
from polyrank.schema import Schema
from polyrank.train import CheckpointConfig, TrainConfig, fit
from polyrank.train.checkpoint_file import read_checkpoint
from polyrank.train.loop import Trainer
from polyrank.train.shuffling import TrainingBatch

ROWS = toy_table(600)  # 540 of them train: an epoch has 9 steps; tasks are click, like, rating and watch_s
EVERY_STEP = TrainConfig(batch_size=64, epochs=3, checkpoint=CheckpointConfig(every_steps=1))
NO_CHECKPOINT = TrainConfig(batch_size=64, epochs=3)


def after_each_step(patch: pytest.MonkeyPatch, change: Callable[[Trainer, Tensor], None]) -> None:
    """Let a function change losses, or weights, after each step."""
    take = Trainer.step

    def changed(trainer: Trainer, batch: TrainingBatch) -> Tensor:
        losses = take(trainer, batch).clone()
        change(trainer, losses)
        return losses

    patch.setattr(Trainer, "step", changed)


def lose(patch: pytest.MonkeyPatch, first_steps: dict[int, int], value: float = float("nan")) -> None:
    """Let the losses of tasks be `value` from a step on: steps by place of the task."""

    def change(trainer: Trainer, losses: Tensor) -> None:
        for task, step in first_steps.items():
            if trainer.num_done >= step:
                losses[task] = value

    after_each_step(patch, change)


def train(out: Path, config: TrainConfig, schema: Schema, *, resume: bool = False) -> Path:
    return fit(schema, ROWS, out=out, config=config, resume=resume, progress=False).path


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_checkpoint_before_a_lost_loss_stays(
    value: float, toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(monkeypatch, {0: 5}, value)
    message = (
        r"^training diverged: the loss of task 'click' is not finite at step 5 in epoch 1; lower \$\.optimizer\.lr "
    )
    with pytest.raises(DivergedError, match=message):
        train(tmp_path / "run", EVERY_STEP, toy_schema)
    assert read_checkpoint(tmp_path / "run.checkpoint").values["step"] == 4


def test_training_goes_on_from_before_it_diverged(toy_schema: Schema, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", EVERY_STEP, toy_schema)
    with pytest.MonkeyPatch.context() as patch:
        lose(patch, {0: 12})
        with pytest.raises(DivergedError):
            train(tmp_path / "run", EVERY_STEP, toy_schema)
    resumed = train(tmp_path / "run", EVERY_STEP, toy_schema, resume=True)
    assert (whole / "weights.safetensors").read_bytes() == (resumed / "weights.safetensors").read_bytes()


def test_all_tasks_of_the_first_step_are_named(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(monkeypatch, {0: 12, 2: 12, 1: 13})
    message = r"^training diverged: the losses of tasks 'click', 'rating' are not finite at step 12 in epoch 2; "
    with pytest.raises(DivergedError, match=message):
        train(tmp_path / "run", NO_CHECKPOINT, toy_schema)


def test_long_epoch_is_not_trained_to_its_end(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyrank.train.validation.WATCHED_STEPS", 3)
    lose(monkeypatch, {0: 4})
    steps: list[int] = []
    after_each_step(monkeypatch, lambda trainer, _: steps.append(trainer.num_done))
    with pytest.raises(DivergedError, match=r"at step 4 in epoch 1; "):
        train(tmp_path / "run", NO_CHECKPOINT, toy_schema)
    assert steps == [1, 2, 3, 4, 5, 6]


def test_weights_that_are_not_finite_are_not_kept(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(trainer: Trainer, _: Tensor) -> None:
        if trainer.num_done == 3:
            with torch.no_grad():
                trainer.dense.weights[0].view(-1)[-1] = float("inf")

    after_each_step(monkeypatch, change)
    with pytest.raises(
        DivergedError, match=r"^training diverged: the weights \S+ are not finite after step 3 in epoch 1"
    ):
        train(tmp_path / "run", EVERY_STEP, toy_schema)
    assert read_checkpoint(tmp_path / "run.checkpoint").values["step"] == 2


def test_checkpoint_of_a_training_that_diverged_is_told(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lose(monkeypatch, {0: 5})
    with pytest.raises(DivergedError):
        train(tmp_path / "run", EVERY_STEP, toy_schema)
    assert f"{tmp_path / 'run.checkpoint'} holds the training from before it diverged" in caplog.messages[-1]
