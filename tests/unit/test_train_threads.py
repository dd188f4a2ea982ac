"""Training runs on the threads that its configuration names, and leaves the caller's as they were."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from toy import ToyRows

from polyrank.errors import DataError
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.train import OptimizerConfig, TrainConfig, fit
from polyrank.train.threads import torch_threads

CALLER = 3


@pytest.fixture(autouse=True)
def threads_of_the_caller() -> Iterator[None]:
    with torch_threads(CALLER):
        yield


@pytest.mark.parametrize("threads", [1, 2])
def test_training_and_validation_use_the_configured_threads(
    threads: int, toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []

    def watched(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*args: Any, **options: Any) -> Any:
            seen.append((name, torch.get_num_threads()))
            return work(*args, **options)

        return watch

    monkeypatch.setattr(torch.autograd, "backward", watched("train", torch.autograd.backward))
    monkeypatch.setattr("polyrank.train.validation.predict", watched("validate", predict))
    config = TrainConfig(epochs=1, batch_size=90, threads=threads)
    fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=config, progress=False)
    assert seen == [*[("train", threads)] * 4, *[("validate", threads)] * 2]  # layers, lookups; epoch, run


def test_threads_of_the_caller_are_restored(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=TrainConfig(), progress=False)
    assert torch.get_num_threads() == CALLER


def test_threads_of_the_caller_are_restored_after_an_error(
    toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path
) -> None:
    config = TrainConfig(optimizer=OptimizerConfig(lr=1e30))
    with pytest.raises(DataError, match=r"^training diverged"):
        fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=config, progress=False)
    assert torch.get_num_threads() == CALLER


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_recorded_with_the_run(threads: int, toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    run = fit(toy_schema, toy_rows(200), out=tmp_path / "run", config=TrainConfig(threads=threads), progress=False)
    assert f"\nthreads = {threads}\n" in (run.path / "config.toml").read_text()


def test_weights_do_not_follow_the_threads_of_the_caller(toy_schema: Schema, toy_rows: ToyRows, tmp_path: Path) -> None:
    config = TrainConfig(batch_size=64)
    fit(toy_schema, toy_rows(300), out=tmp_path / "three", config=config, progress=False)
    with torch_threads(1):
        fit(toy_schema, toy_rows(300), out=tmp_path / "one", config=config, progress=False)
    first, second = (load_file(tmp_path / name / "weights.safetensors") for name in ("three", "one"))
    assert all(torch.equal(first[name], second[name]) for name in first)
