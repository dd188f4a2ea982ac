import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from polyrank.errors import ConfigError, DataError
from polyrank.features import BucketizedFeature, CategoricalFeature, Feature, NumericFeature, VectorFeature
from polyrank.models import ModelConfig, MultiTaskRanker, TrainedRanker
from polyrank.models.embedding import FusedTable
from polyrank.models.ranker import Inputs
from polyrank.models.trained import load_trained_rows, predict
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, OrdinalTask, RegressionTask, Task
from polyrank.train import OptimizerConfig, RareIdsConfig, TrainConfig, fit
from polyrank.train.checkpoint_file import Checkpoint
from polyrank.train.preparing import prepare
from polyrank.train.processes import ALONE
from polyrank.train.starting import begin, go_on
from polyrank.train.warm.tables import own_tables

USER = CategoricalFeature(name="user", dtype="int64", num_buckets=50, embedding_dim=4)
ITEM = CategoricalFeature(name="item", dtype="int64", num_buckets=20, embedding_dim=4, identity=True)
GENRE = CategoricalFeature(name="genre", dtype="int64", num_buckets=7, embedding_dim=2)
PRICE = NumericFeature(name="price", transform=("standardize",))
AGE = BucketizedFeature(name="age", quantiles=4, embedding_dim=2)
LOOKS = VectorFeature(name="looks", dim=3, projection=2)
FEATURES: tuple[Feature, ...] = (USER, ITEM, PRICE, AGE, LOOKS)
CLICK = BinaryTask(name="click", label="is_click")
BUY = BinaryTask(name="buy", label="is_buy")
STARS = OrdinalTask(name="stars", label="stars", levels=(1.0, 2.0, 3.0))
PRICE_TASK = RegressionTask(name="spent", label="spent")
STILL = OptimizerConfig(lr=1e-12, embedding_lr=1e-12, weight_decay=0.0)
SMALL = ModelConfig(hidden_dims=(8,), tower_dims=(4,), normalization="none")
ARCHITECTURES = ["single_task", "shared_bottom", "mmoe", "ple", "stem"]


def rows(count: int = 400, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "user": random.integers(0, 10**6, count),
            "item": random.integers(0, 20, count),
            "genre": random.integers(0, 5, count),
            "price": random.normal(5 + seed, 2, count),
            "age": random.normal(40 + seed, 9, count),
            "looks": pa.array(random.normal(size=(count, 3)).tolist(), pa.list_(pa.float32())),
            "is_click": random.integers(0, 2, count),
            "stars": random.integers(1, 4, count),
            "spent": random.normal(size=count),
            "is_buy": random.integers(0, 2, count),
        }
    )


def schema_of(features: Sequence[Feature] = FEATURES, tasks: Sequence[Task] = (CLICK, STARS)) -> Schema:
    return Schema(name="toy", features=tuple(features), tasks=tuple(tasks))


def train(out: Path, schema: Schema, *, model: ModelConfig = SMALL, still: bool = False, **options: Any) -> Path:
    optimizer = STILL if still else OptimizerConfig(lr=0.01)
    config = TrainConfig(batch_size=32, epochs=1 if still else 3, model=model, optimizer=optimizer)
    seed = options.pop("seed", 0)
    return fit(schema, rows(seed=seed), out=out, config=config, progress=False, **options).path


def answers(run: Path, task: str = "click", like: Path | None = None) -> NDArray[np.float32]:
    """Answer the sample of a run, or of one `like` it."""
    ranker = TrainedRanker.load(run)
    return predict(ranker.model, TrainedRanker.load(like or run).sample)[task]


def fresh(run: Path) -> list[str]:
    found: list[str] = json.loads((run / "metrics.json").read_text())["warm_start"]["fresh"]
    return found


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("older") / "run", schema_of())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("interaction", ["none", "dcn_v2", "deepfm"])
def test_warm_start_answers_as_the_older_run(architecture: Any, interaction: Any, tmp_path: Path) -> None:
    model = msgspec.structs.replace(SMALL, architecture=architecture, interaction=interaction, normalization="layer")
    first = train(tmp_path / "a", schema_of(), model=model)
    second = train(tmp_path / "b", schema_of(), model=model, still=True, warm_start=first)
    assert_allclose(answers(second, "stars", like=first), answers(first, "stars"), atol=1e-6)
    assert fresh(second) == []


@pytest.mark.parametrize(
    ("architecture", "interaction"), [("esmm", "none"), ("aitm", "none"), ("aitm", "dcn_v2"), ("shared_bottom", "fm")]
)
def test_warm_start_of_a_chain_answers_as_the_older_run(architecture: Any, interaction: Any, tmp_path: Path) -> None:
    model = msgspec.structs.replace(SMALL, architecture=architecture, interaction=interaction)
    schema = schema_of(tasks=(CLICK, BUY))
    first = train(tmp_path / "a", schema, model=model)
    second = train(tmp_path / "b", schema, model=model, still=True, warm_start=first)
    assert_allclose(answers(second, "buy", like=first), answers(first, "buy"), atol=1e-6)
    assert fresh(second) == []


def test_batch_norm_is_taken_over_with_its_statistics(tmp_path: Path) -> None:
    model = msgspec.structs.replace(SMALL, normalization="batch")
    first = train(tmp_path / "a", schema_of(), model=model)
    second = train(tmp_path / "b", schema_of(), model=model, still=True, warm_start=first)
    own, taken = (TrainedRanker.load(run).model.state_dict() for run in (first, second))
    (name,) = [name for name in own if "bottom" in name and name.endswith("num_batches_tracked")]
    assert int(taken[name]) == 4 * int(own[name]) // 3


def test_order_of_features_and_tasks_may_change(older: Path, tmp_path: Path) -> None:
    turned = schema_of(FEATURES[::-1], (STARS, CLICK))
    run = train(tmp_path / "run", turned, still=True, warm_start=older)
    expected = TrainedRanker.load(older)
    encoded = _encoded(expected.schema, rows(50))
    other = _encoded(TrainedRanker.load(run).schema, rows(50))
    assert fresh(run) == []
    for task in ("click", "stars"):
        found = predict(TrainedRanker.load(run).model, other)[task]
        assert_allclose(found, predict(expected.model, encoded)[task], atol=1e-6)


def _encoded(schema: Schema, table: pa.Table) -> Any:
    from polyrank.encoder import Encoder

    return Encoder(schema).encode(table)


def test_grown_tables_answer_alike(older: Path, tmp_path: Path) -> None:
    user, item = (msgspec.structs.replace(one, num_buckets=size) for one, size in ((USER, 150), (ITEM, 30)))
    run = train(tmp_path / "run", schema_of((user, item, *FEATURES[2:])), still=True, warm_start=older)
    assert_allclose(answers(run, like=older), answers(older), atol=1e-6)
    assert fresh(run) == ["embedding table of 'item': 10 rows are new"]


def test_table_of_other_buckets_starts_fresh_with_a_warning(
    older: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    user = msgspec.structs.replace(USER, num_buckets=70)
    run = train(tmp_path / "run", schema_of((user, *FEATURES[1:])), still=True, warm_start=older)
    (line,) = fresh(run)
    assert line == "embedding table of 'user': num_buckets is 70, no multiple of the 50 it was"
    assert f"fresh: {line}" in caplog.text


def test_added_feature_leaves_the_weights_of_the_others(older: Path, tmp_path: Path) -> None:
    run = train(tmp_path / "run", schema_of((*FEATURES, GENRE)), still=True, warm_start=older)
    before, after = (
        TrainedRanker.load(path).model.state_dict()["network.layers.bottom.0.weight"] for path in (older, run)
    )
    assert_allclose(after[:, :8].numpy(), before[:, :8].numpy(), atol=1e-6)
    assert_allclose(after[:, 10:].numpy(), before[:, 8:].numpy(), atol=1e-6)
    assert fresh(run) == [
        "embedding table of 'genre': the older run has no such table",
        "network.layers.bottom.0.weight: 16 of its 136 numbers are new",
    ]


def test_left_out_feature_leaves_the_weights_of_the_others(older: Path, tmp_path: Path) -> None:
    run = train(tmp_path / "run", schema_of(FEATURES[:-1]), still=True, warm_start=older)
    before, after = (
        TrainedRanker.load(path).model.state_dict()["network.layers.bottom.0.weight"] for path in (older, run)
    )
    assert_allclose(after.numpy(), before[:, : after.shape[1]].numpy(), atol=1e-6)
    assert fresh(run) == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_added_task_leaves_the_answers_of_the_others(architecture: Any, tmp_path: Path) -> None:
    model = msgspec.structs.replace(SMALL, architecture=architecture)
    first = train(tmp_path / "a", schema_of(), model=model)
    second = train(
        tmp_path / "b", schema_of(tasks=(PRICE_TASK, CLICK, STARS)), model=model, still=True, warm_start=first
    )
    found = answers(second, like=first)
    tolerance = 1e-6 if architecture != "stem" else 0.2  # a gate of STEM weighs the experts of the new task too
    assert_allclose(found, answers(first), atol=tolerance)
    assert any("towers.output.weight" in line for line in fresh(second))


def test_statistics_of_the_older_run_are_kept(older: Path, tmp_path: Path) -> None:
    run = train(tmp_path / "run", schema_of(), still=True, warm_start=older, seed=3)
    assert TrainedRanker.load(run).schema == TrainedRanker.load(older).schema


def test_statistics_of_another_transform_are_fitted(older: Path, tmp_path: Path) -> None:
    price = msgspec.structs.replace(PRICE, transform=())
    run = train(tmp_path / "run", schema_of((USER, ITEM, price, AGE, LOOKS)), still=True, warm_start=older, seed=3)
    feature = TrainedRanker.load(run).schema.numeric_features[0]
    assert feature.mean == pytest.approx(8.0, abs=0.5)


def test_other_architecture_takes_the_tables_and_says_what_is_fresh(older: Path, tmp_path: Path) -> None:
    model = msgspec.structs.replace(SMALL, architecture="mmoe")
    run = train(tmp_path / "run", schema_of(), model=model, still=True, warm_start=older)
    name = "inputs.0.embeddings.tables.dim_4.weight"
    before, after = (TrainedRanker.load(path).model.state_dict()[name] for path in (older, run))
    assert_allclose(after.numpy(), before.numpy(), atol=1e-6)
    assert "network.layers.gates.linear.weight: the older run has no such layer" in fresh(run)


def test_other_width_starts_fresh(older: Path, tmp_path: Path) -> None:
    model = msgspec.structs.replace(SMALL, hidden_dims=(16,))
    run = train(tmp_path / "run", schema_of(), model=model, still=True, warm_start=older)
    assert "network.layers.bottom.0.bias: its shape is 16, and was 8" in fresh(run)


def test_run_says_where_it_started(older: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "polyrank")
    run = train(tmp_path / "run", schema_of(), still=True, warm_start=older)
    origin = json.loads((run / "metrics.json").read_text())["warm_start"]
    assert (origin["run"], origin["run_id"]) == (str(older), TrainedRanker.load(older).run_id)
    assert f"training starts from {older} (run {origin['run_id']})" in caplog.text


def test_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not a run directory: schema\.toml is missing"):
        train(tmp_path / "run", schema_of(), warm_start=tmp_path)


def test_model_is_left_as_it_is_where_nothing_matches(older: Path) -> None:
    from polyrank.train.warm import take_over

    torch.manual_seed(0)
    schema = schema_of((GENRE,), (PRICE_TASK,)).resolved()
    model = MultiTaskRanker(schema, SMALL)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    take_over(model, schema, SMALL, TrainedRanker.load(older), str(older))
    changed = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])]
    assert changed == ["network.layers.bottom.0.bias"]


@pytest.mark.parametrize(
    "task",
    [
        RegressionTask(name="click", label="spent"),
        OrdinalTask(name="stars", label="stars", levels=(1.0, 2.0, 5.0)),
    ],
    ids=["another kind", "other levels"],
)
def test_outputs_of_another_meaning_start_fresh(older: Path, tmp_path: Path, task: Task) -> None:
    others = [each for each in (CLICK, STARS) if each.name != task.name]
    levels = np.array(task.levels if isinstance(task, OrdinalTask) else STARS.levels)
    data = rows().set_column(7, "stars", [levels[np.arange(400) % 3]])
    config = TrainConfig(batch_size=32, epochs=1, model=SMALL, optimizer=STILL)
    schema = schema_of(tasks=(*others, task))
    run = fit(schema, data, out=tmp_path / "run", config=config, warm_start=older, progress=False).path
    lines = [line for line in fresh(run) if "baseline.bias" in line or "towers.output.weight" in line]
    assert len(lines) == 2


def with_items(items: Sequence[int]) -> pa.Table:
    """Return rows of certain items, all equally often."""
    table = rows()
    return table.set_column(1, "item", [np.resize(items, table.num_rows)])


def first_inputs(model: MultiTaskRanker) -> Inputs:
    inputs = model.inputs[0]
    assert isinstance(inputs, Inputs)
    return inputs


def item_rows(run: Path) -> torch.Tensor:
    """Return the rows of the table of items, that of "missing" first."""
    return own_tables(first_inputs(TrainedRanker.load(run).model))["item"].rows


def trained_items(run: Path) -> set[int]:
    """Return the items whose rows a run says were trained, by it or before."""
    ranker = TrainedRanker.load(run)
    trained = load_trained_rows(run, ranker.model)
    assert trained is not None
    marks = {
        id(module.weight): torch.from_numpy(trained[f"{name}.weight"]).unsqueeze(1)
        for name, module in ranker.model.named_modules()
        if isinstance(module, FusedTable)
    }
    return set((own_tables(first_inputs(ranker.model), marks)["item"].rows[1:, 0].nonzero().squeeze(1)).tolist())


@pytest.fixture(scope="module")
def of_few_items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainConfig(batch_size=32, epochs=1, model=SMALL)
    out = tmp_path_factory.mktemp("few") / "run"
    return fit(schema_of(), with_items([0, 1, 2, 3]), out=out, config=config, progress=False).path


def test_rows_that_an_older_run_trained_are_trained(of_few_items: Path, tmp_path: Path) -> None:
    config = TrainConfig(batch_size=32, epochs=1, model=SMALL)
    run = fit(
        schema_of(), with_items([3, 4, 5]), out=tmp_path / "run", config=config, warm_start=of_few_items, progress=False
    ).path
    assert trained_items(of_few_items) == {0, 1, 2, 3}
    assert trained_items(run) == {0, 1, 2, 3, 4, 5}


def test_minimum_count_keeps_what_is_warm(of_few_items: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        batch_size=32, epochs=1, model=SMALL, rare_ids=RareIdsConfig(min_count=1, dropout=0.1), optimizer=STILL
    )
    run = fit(
        schema_of(), with_items([3, 4, 5]), out=tmp_path / "run", config=config, warm_start=of_few_items, progress=False
    ).path
    before, after = item_rows(of_few_items), item_rows(run)
    assert_allclose(after[1:5], before[1:5], atol=1e-6)
    assert len(torch.unique(after[5:7], dim=0)) == 2
    assert (after[7:] == after[0]).all()


def test_minimum_count_counts_after_a_checkpoint_too(of_few_items: Path, tmp_path: Path) -> None:
    config = TrainConfig(batch_size=32, epochs=2, model=SMALL, rare_ids=RareIdsConfig(min_count=1))
    data = prepare(schema_of(), with_items([3, 4, 5]), config)
    first = begin(data, config, warm_start=of_few_items, progress=False)
    state = Checkpoint({name: tensor.clone() for name, tensor in first.state().tensors.items()}, first.state().values)
    first.run(progress=False)
    second = go_on(data, config, state, tmp_path / "checkpoint", ALONE)
    second.run(progress=False)
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name])
    assert {name: rows.tolist() for name, rows in first.trained_rows.items()} == {
        name: rows.tolist() for name, rows in second.trained_rows.items()
    }


def test_minimum_count_of_no_run_says_that_it_is_none(tmp_path: Path) -> None:
    config = TrainConfig(model=SMALL, rare_ids=RareIdsConfig(min_count=2))
    with pytest.raises(DataError, match=r"^.*/absent is not a run directory: schema\.toml is missing; train one with"):
        fit(schema_of(), rows(), out=tmp_path / "run", config=config, warm_start=tmp_path / "absent")


@pytest.mark.parametrize(
    ("rare_ids", "told"),
    [
        (RareIdsConfig(min_count=2), "2 would"),
        (RareIdsConfig(dropout=0.2), r"1, which is what \$\.rare_ids\.dropout needs, would"),
    ],
)
def test_what_an_older_run_does_not_say_would_be_forgotten(
    of_few_items: Path, tmp_path: Path, rare_ids: RareIdsConfig, told: str
) -> None:
    copy = Path(shutil.copytree(of_few_items, tmp_path / "older"))
    (copy / "trained_rows.safetensors").unlink()
    config = TrainConfig(model=SMALL, rare_ids=rare_ids)
    message = rf"^\$\.rare_ids\.min_count = {told} forget ids that the new rows lack, since .*/older does not say "
    with pytest.raises(ConfigError, match=message):
        fit(schema_of(), rows(), out=tmp_path / "run", config=config, warm_start=copy)
