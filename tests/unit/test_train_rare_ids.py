from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyrank.errors import ConfigError
from polyrank.features import BagFeature, CategoricalFeature, NeighborsFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.embedding import FusedTable
from polyrank.models.neighbors import load_neighbors
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train import OptimizerConfig, RareIdsConfig, TrainConfig
from polyrank.train.encoded import EncodedRows, MemoryStorage, Selection
from polyrank.train.loop import Trainer
from polyrank.train.optimizers import RowGradient, build_optimizers
from polyrank.train.preparing import TrainingData
from polyrank.train.rare_ids import count_rows, fold_rare_rows, mask_rare_rows
from polyrank.train.shuffling import TrainingBatch
from polyrank.train.table_rows import TableRows, count_table_rows
from polyrank.train.training import Training

SCHEMA = Schema(
    name="toy",
    features=(
        CategoricalFeature(name="user", dtype="int64", num_buckets=4, embedding_dim=2),
        BagFeature(name="liked", shares="user", max_length=2),
        CategoricalFeature(name="item", dtype="int64", num_buckets=3, embedding_dim=2),
    ),
    tasks=(BinaryTask(name="click", label="click"),),
).resolved()
# Rows of the table: users 0 to 4, of which 0 is "missing", then items 5 to 8, of which 5 is.
IDS = np.array([[0, 1, -1, 0], [0, 2, -1, 0], [1, 0, 1, 1], [-1, -1, -1, 0]])


@pytest.fixture
def model() -> MultiTaskRanker:
    torch.manual_seed(0)
    made = MultiTaskRanker(SCHEMA, ModelConfig(hidden_dims=(4,), tower_dims=())).eval()
    with torch.no_grad():
        table_of(made).weight.normal_()
    return made


def table_of(model: MultiTaskRanker) -> FusedTable:
    (table,) = (module for module in model.modules() if isinstance(module, FusedTable))
    return table


def selection(ids: NDArray[np.int64]) -> Selection:
    count = len(ids)
    rows = EncodedRows(ids=ids, dense=np.empty((count, 0), np.float32), labels=np.zeros((count, 1), np.float32))
    return Selection(MemoryStorage(rows), np.ones(count, bool))


def looked_up(model: MultiTaskRanker, ids: list[list[int]]) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.inputs[0](torch.tensor(ids), None)
    return found


def test_values_are_counted_by_the_row_they_fall_on(model: MultiTaskRanker) -> None:
    assert count_rows(table_of(model), selection(IDS)).tolist() == [0, 3, 3, 1, 0, 0, 3, 1, 0]


def test_rare_ids_are_looked_up_as_missing(model: MultiTaskRanker) -> None:
    mask_rare_rows(model, selection(IDS), RareIdsConfig(min_count=2))
    rare, missing = looked_up(model, [[2, -1, -1, 1], [-1, -1, -1, -1]])
    assert torch.equal(rare, missing)


def test_frequent_ids_keep_their_vectors(model: MultiTaskRanker) -> None:
    before = looked_up(model, [[0, 1, 0, 0]])
    mask_rare_rows(model, selection(IDS), RareIdsConfig(min_count=2))
    assert torch.equal(looked_up(model, [[0, 1, 0, 0]]), before)


@pytest.mark.parametrize("embedding", ["rowwise_adagrad", "sparse_adam"])
def test_rows_are_counted_by_table(model: MultiTaskRanker, embedding: Any) -> None:
    _, rows = build_optimizers(model, OptimizerConfig(embedding=embedding))
    mask_rare_rows(model, selection(IDS), RareIdsConfig(min_count=2))
    assert count_table_rows(model, rows) == {"user": TableRows(5, 0, 2), "item": TableRows(4, 0, 2)}
    rows.step(0, RowGradient(torch.tensor([1, 2, 6]), torch.ones(3, 2)))
    assert count_table_rows(model, rows) == {"user": TableRows(5, 2, 2), "item": TableRows(4, 1, 2)}


def test_rows_of_the_tables_of_all_tasks_are_added_up() -> None:
    tasks = (*SCHEMA.tasks, BinaryTask(name="like", label="like"))
    schema = msgspec.structs.replace(SCHEMA, tasks=tasks)
    model = MultiTaskRanker(schema, ModelConfig(architecture="single_task", hidden_dims=(4,), tower_dims=()))
    _, rows = build_optimizers(model, OptimizerConfig())
    rows.step(1, RowGradient(torch.tensor([0, 8]), torch.ones(2, 2)))
    assert count_table_rows(model, rows) == {"user": TableRows(10, 1, 0), "item": TableRows(8, 1, 0)}


def test_folded_table_answers_like_the_map(model: MultiTaskRanker) -> None:
    ids = [[2, 3, 0, 1], [3, 2, -1, 2], [0, -1, -1, 0], [-1, 1, 2, -1]]
    mask_rare_rows(model, selection(IDS), RareIdsConfig(min_count=2))
    masked = looked_up(model, ids)
    fold_rare_rows(model)
    assert table_of(model).stand_ins is None
    assert torch.equal(looked_up(model, ids), masked)


def test_rare_rows_stay_untrained(model: MultiTaskRanker) -> None:
    mask_rare_rows(model, selection(IDS), RareIdsConfig(min_count=2))
    model.train()
    model.inputs[0](torch.tensor([[2, -1, -1, 0]]), None).sum().backward()
    gradient = table_of(model).weight.grad
    assert gradient is not None
    assert sorted(set(gradient.coalesce().indices()[0].tolist())) == [0, 6]


@pytest.mark.parametrize(("given", "found"), [(0, 1), (1, 1), (3, 3)])
def test_dropout_leaves_no_id_that_never_trained(given: int, found: int) -> None:
    assert RareIdsConfig(dropout=0.1, min_count=given).min_count == found


def test_unseen_ids_stay_as_they_are_without_dropout() -> None:
    assert RareIdsConfig().min_count == 0


@pytest.mark.parametrize(("dropout", "is_missing"), [(0.5, True), (0.0, False)])
def test_unseen_id_answers_as_missing_where_ids_are_dropped(
    model: MultiTaskRanker,
    dropout: float,
    is_missing: bool,  # noqa: FBT001 (a case)
) -> None:
    rows = selection(IDS)
    data = TrainingData(SCHEMA, rows, rows, 1.0, (), np.ones(1, np.float32))
    config = TrainConfig(epochs=2, batch_size=2, rare_ids=RareIdsConfig(dropout=dropout))
    Training(model, data, config).run(progress=False)
    unseen, missing = looked_up(model, [[3, -1, -1, 2], [-1, -1, -1, -1]])
    assert torch.equal(unseen, missing) is is_missing


def test_share_of_ids_is_taken_for_missing(model: MultiTaskRanker) -> None:
    seen: list[Tensor] = []
    model.inputs[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    trainer = Trainer(model.train(), TrainConfig(rare_ids=RareIdsConfig(dropout=0.3)), num_steps=1)
    ids = torch.zeros(5_000, 4, dtype=torch.int64)
    trainer.step(TrainingBatch(ids, torch.empty(5_000, 0), torch.zeros(5_000, 1), None, None))
    (found,) = seen
    assert set(found.flatten().tolist()) == {-1, 0}
    assert float((found == -1).float().mean()) == pytest.approx(0.3, abs=0.015)  # of 20,000: 4.6 standard errors


def test_no_threshold_changes_nothing(model: MultiTaskRanker) -> None:
    mask_rare_rows(model, selection(IDS), RareIdsConfig())
    assert table_of(model).stand_ins is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": 1.0}, r"^\$\.rare_ids\.dropout must be in \[0, 1\), got 1\.0$"),
        ({"min_count": -1}, r"^\$\.rare_ids\.min_count must be in \[0, 2\*\*31\), got -1$"),
    ],
)
def test_value_out_of_range_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RareIdsConfig(**arguments)  # type: ignore[arg-type]


def test_rare_neighbors_answer_while_training_as_they_will_after() -> None:
    near = NeighborsFeature(name="near", of="item", by="user", k=1)
    schema = msgspec.structs.replace(SCHEMA, features=(*SCHEMA.features, near)).resolved()
    model = MultiTaskRanker(schema, ModelConfig(hidden_dims=(4,), tower_dims=())).eval()
    load_neighbors(model, {"near": np.array([[0], [2], [1], [2]], np.int32)})
    mask_rare_rows(model, selection(IDS), RareIdsConfig(min_count=2))
    before = looked_up(model, [[0, 1, -1, 0]])
    fold_rare_rows(model)
    assert torch.equal(looked_up(model, [[0, 1, -1, 0]]), before)
