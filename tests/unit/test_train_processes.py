"""Ranks that train together end where one process does with the same batches."""

import copy
import functools
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import torch
from artefacts.ranks import on_ranks
from torch import Tensor
from torch.testing import assert_close
from toy import TOY_TOML, toy_table

from polyrank.errors import ConfigError, OtherRankError
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.config import Architecture
from polyrank.schema import Schema
from polyrank.train import BalancingConfig, EarlyStoppingConfig, OptimizerConfig, TrainConfig, ValidationConfig
from polyrank.train.balancing.config import Method
from polyrank.train.preparing import TrainingData, prepare
from polyrank.train.processes import ALONE, Processes, is_launched, joined, require_rows_for_all
from polyrank.train.training import Training

TOML = TOY_TOML.replace('time = "time_ms"\n', 'time = "time_ms"\ngroup = "user_id"\nsample_weight = "age_weight"\n')
SMALL = ModelConfig(hidden_dims=(16, 8), tower_dims=(8,))
CONFIG = TrainConfig(batch_size=75, model=SMALL)  # the last batch has two rows: of three ranks one has none
CASES = {
    "batch norm": CONFIG,
    "mmoe": TrainConfig(batch_size=75, model=ModelConfig(architecture="mmoe", hidden_dims=(8,), normalization="none")),
    "ple": TrainConfig(batch_size=75, model=ModelConfig(architecture="ple", hidden_dims=(8,))),
    "deepfm": TrainConfig(batch_size=75, model=msgspec.structs.replace(SMALL, interaction="deepfm")),
    "clipping and averages": TrainConfig(
        batch_size=75, model=SMALL, ema_decay=0.9, optimizer=OptimizerConfig(clip_norm=0.1, embedding="sparse_adam")
    ),
    "early stopping": TrainConfig(
        batch_size=75,
        model=SMALL,
        epochs=3,
        validation=ValidationConfig(every_steps=2),
        early_stopping=EarlyStoppingConfig(metric="rating.rmse"),
    ),
}
CHAINS: list[Architecture] = ["esmm", "aitm"]
METHODS: list[Method] = ["uncertainty", "dwa", "gradnorm", "cagrad", "nash_mtl"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def data() -> TrainingData:
    table = toy_table(420, 3)
    weights = np.random.default_rng(0).uniform(0.0, 3.0, table.num_rows)
    rows = table.append_column("age_weight", [weights])
    return prepare(Schema.from_toml(TOML), rows.slice(0, 419), TrainConfig(validation=ValidationConfig(share=0.1)))


def trained(config: TrainConfig, processes: Processes, model: MultiTaskRanker) -> Training:
    training = Training(copy.deepcopy(model), data(), config, processes)
    training.run(progress=False)
    return training


def weights_of(training: Training) -> dict[str, Tensor]:
    return dict(training.model.state_dict())


def both(config: TrainConfig) -> tuple[Training, list[Training]]:
    """Train alone, and on three ranks."""
    torch.manual_seed(0)
    model = MultiTaskRanker(data().schema, config.model)
    return trained(config, ALONE, model), on_ranks(3, lambda processes: trained(config, processes, model))


def assert_same_weights(alone: Training, ranks: list[Training]) -> None:
    # Sums of other parts round otherwise: 1e-6 of a weight a step. Adam divides by the size of a gradient, and so
    # passes on all of the rounding of one that is nearly 0: 1e-3 of what it moves a weight in a step.
    for rank in ranks:
        assert_close(weights_of(rank), weights_of(alone), rtol=1e-4, atol=2e-5)
    assert all(torch.equal(weights_of(ranks[0])[name], value) for name, value in weights_of(ranks[1]).items())


def test_of_three_ranks_one_has_no_row_of_the_last_batch() -> None:
    assert len(data().train) % CONFIG.batch_size == 2


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_ranks_end_with_the_weights_of_one_process(config: TrainConfig) -> None:
    assert_same_weights(*both(config))


@pytest.mark.parametrize("architecture", CHAINS)
def test_chains_end_with_the_weights_of_one_process(architecture: Architecture) -> None:
    # Batch norm takes away what a bias of aitm adds, and would leave Adam a gradient that is rounding alone.
    model = ModelConfig(architecture=architecture, hidden_dims=(8,), normalization="layer")
    assert_same_weights(*both(TrainConfig(batch_size=75, model=model)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ["shared_bottom", "single_task"])
def test_balanced_ranks_end_with_the_weights_of_one_process(method: Method, architecture: Architecture) -> None:
    # Batch norm over two rows leaves gradients that are rounding alone, and Adagrad makes whole steps of them.
    model = ModelConfig(architecture=architecture, hidden_dims=(8,), normalization="layer")
    config = TrainConfig(batch_size=75, epochs=3, model=model, balancing=BalancingConfig(method=method))
    assert_same_weights(*both(config))


def test_ranks_report_the_losses_and_metrics_of_one_process() -> None:
    alone, ranks = both(msgspec.structs.replace(CONFIG, epochs=1))
    (expected,), (first,), (last,) = alone.history, ranks[0].history, ranks[2].history
    assert first == last
    assert first["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-5)
    assert first["validation"]["click"] == pytest.approx(expected["validation"]["click"], rel=1e-4, nan_ok=True)
    assert first["validation"]["watch_s"] == pytest.approx(expected["validation"]["watch_s"], rel=1e-4, nan_ok=True)


def test_batch_size_is_that_of_all_processes() -> None:
    message = (
        r"^\$\.batch_size is that of all processes together, and must be 8 or above for 4 of them, got 7; raise it, or "
        r"lower --nproc-per-node$"
    )
    with pytest.raises(ConfigError, match=message):
        require_rows_for_all(7, Processes(0, 4))
    require_rows_for_all(8, Processes(0, 4))
    require_rows_for_all(2, ALONE)


def test_ranks_that_train_other_rows_are_refused() -> None:
    def refusal(processes: Processes) -> str:
        with pytest.raises(ConfigError) as caught:
            processes.require_same(rows=100 + processes.rank, schema="same")
        return str(caught.value)

    assert on_ranks(2, refusal) == ["rows of rank 1 differ from those of rank 0; give all ranks the same"] * 2


def test_environment_that_lacks_a_rank_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(
        ConfigError, match=r"^WORLD_SIZE is 2, but RANK is not set; start with torchrun, or unset WORLD"
    ):
        is_launched()


def test_others_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.train.processes.JOIN_S", 0.1)
    address = {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    for name, value in address.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(
            ConfigError, match=r"^cannot join the other ranks at 127\.0\.0\.1:9: .*; start all with torchrun$"
        ),
        joined(),
    ):
        pass


def test_process_that_was_not_launched_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as processes:
        assert processes == ALONE


def test_lost_connection_is_an_error_of_another_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_tensor: Tensor) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr("torch.distributed.all_reduce", closed)
    with pytest.raises(
        OtherRankError, match=r"^another rank ended without a word, as one does that is killed; look at "
    ):
        Processes(0, 2).add(torch.zeros(1))
