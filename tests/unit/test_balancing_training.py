import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose

from polyrank.errors import ConfigError, MissingExtraError
from polyrank.features import CategoricalFeature, NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, CountTask, RegressionTask, Task
from polyrank.train import BalancingConfig, OptimizerConfig, TrainConfig, fit
from polyrank.train.balancing.config import METHODS
from polyrank.train.loop import Trainer
from polyrank.train.shuffling import TrainingBatch
from polyrank.train.threads import torch_threads

CLICK = BinaryTask(name="click", label="is_click")
LIKE = BinaryTask(name="like", label="is_like", weight=2.0)
RATING = RegressionTask(name="rating", label="stars")
VISITS = CountTask(name="visits", label="visits")
FEATURES = (
    CategoricalFeature(name="user", dtype="int64", num_buckets=20, embedding_dim=4),
    NumericFeature(name="x"),
)
PLAIN = {"hidden_dims": (16,), "tower_dims": (8,), "normalization": "none"}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


def trainer_of(method: Any, *tasks: Task, **model: Any) -> Trainer:
    torch.manual_seed(0)
    schema = Schema(name="toy", features=FEATURES, tasks=tasks).resolved()
    config = TrainConfig(
        epochs=3, optimizer=OptimizerConfig(lr=0.02, embedding_lr=0.1), balancing=BalancingConfig(method=method)
    )
    return Trainer(MultiTaskRanker(schema, ModelConfig(**PLAIN | model)), config, num_steps=200)


def batch_of(count: int = 64, num_tasks: int = 3) -> TrainingBatch:
    random = torch.Generator().manual_seed(1)
    dense = torch.randn(count, 1, generator=random)
    ids = torch.randint(20, (count, 1), generator=random)
    labels = torch.cat([dense > 0, ids % 2 == 0, 2 * dense + 1], dim=1).float()
    return TrainingBatch(ids, dense, labels[:, :num_tasks].clone(), None, None)


def parameters_of(trainer: Trainer) -> Any:
    return torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()]).numpy()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_all_tasks(method: str) -> None:
    trainer, batch = trainer_of(method, CLICK, LIKE, RATING), batch_of()
    first = trainer.step(batch).numpy()
    for _ in range(80):
        last = trainer.step(batch).numpy()
    assert (last < 0.5 * first).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_a_count_beside_a_probability(method: str) -> None:
    trainer, batch = trainer_of(method, CLICK, VISITS), batch_of(num_tasks=2)
    batch.labels[:, 1] = torch.exp(1 + batch.dense[:, 0]).round()
    first = trainer.step(batch).numpy()
    for _ in range(80):
        last = trainer.step(batch).numpy()
    assert (last < 0.5 * first).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ["mmoe", "ple", "esmm", "aitm", "stem", "single_task"])
def test_every_method_trains_every_architecture(method: str, architecture: str) -> None:
    trainer, batch = trainer_of(method, CLICK, LIKE, RATING, architecture=architecture), batch_of()
    first = trainer.step(batch).sum()
    for _ in range(15):
        last = trainer.step(batch).sum()
    assert last < first


@pytest.mark.parametrize("method", METHODS)
def test_rows_without_weight_do_not_count(method: str) -> None:
    batch = batch_of(8)
    weights = torch.tensor([2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0])
    weighted, picked = trainer_of(method, CLICK, LIKE, RATING), trainer_of(method, CLICK, LIKE, RATING)
    weighted.step(batch._replace(sample_weights=weights))
    picked.step(batch.pick(torch.arange(0, 8, 2)))
    assert_allclose(parameters_of(weighted), parameters_of(picked), rtol=1e-3, atol=1e-5)


def test_embeddings_train_by_the_combined_gradient() -> None:
    trainer, batch = trainer_of("mgda", CLICK, RATING), batch_of()
    batch = batch._replace(labels=batch.labels[:, [0, 2]])
    (part,) = trainer.model.inputs
    inputs = part(batch.ids, batch.dense, None)
    losses = trainer.model.losses(trainer.model.network([inputs]), batch.labels)
    table = trainer.table_optimizer.tables[0]
    shared = [*trainer.model.network.shared_parameters()]
    one, two = (
        torch.cat([grad.flatten() for grad in torch.autograd.grad(loss, shared, retain_graph=True)]) for loss in losses
    )
    share = (((two - one) @ two) / ((one - two) @ (one - two))).clamp(0, 1)
    balanced = 2 * (share * losses[0] + (1 - share) * losses[1])
    expected = torch.autograd.grad(balanced, table, retain_graph=True)[0].to_dense()
    balancer, leaf = trainer.balancer, inputs.detach().requires_grad_()
    balancer.backward(trainer.model.losses(trainer.model.network([leaf]), batch.labels), trainer.model.network, [leaf])
    torch.autograd.backward(inputs, leaf.grad)
    assert table.grad is not None
    assert_allclose(table.grad.to_dense().numpy(), expected.numpy(), rtol=1e-3, atol=1e-7)


WRONG = {
    "unknown method": ('method = "sum"', "$.balancing.method: invalid enum value 'sum'"),
    "unknown key": ("beta = 1.0", "$.balancing: object contains unknown field beta"),
    "no temperature": ("temperature = 0.0", "$.balancing.temperature must be above 0 and finite, got 0.0"),
    "endless temperature": ("temperature = inf", "$.balancing.temperature must be above 0 and finite, got inf"),
    "negative alpha": ("alpha = -0.1", "$.balancing.alpha must be 0 or above and finite, got -0.1"),
    "nan alpha": ("alpha = nan", "$.balancing.alpha must be 0 or above and finite, got nan"),
    "no rate": ("lr = 0.0", "$.balancing.lr must be above 0 and finite, got 0.0"),
    "negative c": ("c = -0.5", "$.balancing.c must be in [0, 1), got -0.5"),
    "large c": ("c = 1.0", "$.balancing.c must be in [0, 1), got 1.0"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_wrong_balancing_is_refused_with_its_path(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.toml"
    path.write_text(f"[balancing]\n{text}\n")
    with pytest.raises(ConfigError, match=re.escape(message)):
        TrainConfig.load(path)


def test_dwa_is_refused_where_it_would_not_act() -> None:
    message = r"^\$\.balancing\.method = 'dwa' weighs tasks from epoch 3 on; \$\.epochs must be 3 or above, got 2$"
    with pytest.raises(ConfigError, match=message):
        TrainConfig(epochs=2, balancing=BalancingConfig(method="dwa"))


def test_compiled_layers_are_refused_where_tasks_are_taken_apart() -> None:
    message = r"^\$\.compile = true goes with one backward pass a step, and \$\.balancing\.method = 'pcgrad' takes one"
    with pytest.raises(ConfigError, match=message):
        TrainConfig(compile=True, balancing=BalancingConfig(method="pcgrad"))


def test_missing_library_is_refused_before_data_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    schema = Schema(name="toy", features=FEATURES, tasks=(CLICK, LIKE))
    config = TrainConfig(balancing=BalancingConfig(method="mgda"))
    with pytest.raises(MissingExtraError, match=r"pip install 'polyrank\[balancing\]'"):
        fit(schema, tmp_path / "absent.parquet", out=tmp_path / "run", config=config)
