"""Memory of embedding tables: what is free, and what is refused."""

import re
from pathlib import Path

import msgspec
import pytest
from toy import toy_table

from polyrank.errors import ConfigError, SchemaError
from polyrank.features import CategoricalFeature
from polyrank.models import ModelConfig, MultiTaskRanker, memory
from polyrank.models.memory import available_bytes, require_memory
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train import EarlyStoppingConfig, OptimizerConfig, TrainConfig, dry_run, fit

SMALL = CategoricalFeature(name="tag", dtype="int64", num_buckets=9, embedding_dim=4)
LARGE = CategoricalFeature(name="user", dtype="int64", num_buckets=2**20 - 1, embedding_dim=16)
CLICK, LIKE = BinaryTask(name="click", label="is_click"), BinaryTask(name="like", label="is_like")
SCHEMA = Schema(name="toy", features=(SMALL, LARGE), tasks=(CLICK, LIKE)).resolved()
MIB = 2**20


def machine(place: Path, monkeypatch: pytest.MonkeyPatch, *, available: int | None, container: str | None) -> None:
    """Let the machine have so many MiB, and the container this limit in bytes, with 10 MiB used and 4 of it files."""
    if available is not None:
        (place / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {available * 1024} kB\nSwapFree: 0 kB\n")
    if container is not None:
        (place / "memory.max").write_text(f"{container}\n")
        (place / "memory.current").write_text(f"{10 * MIB}\n")
        (place / "memory.stat").write_text(f"anon 5\ninactive_file {4 * MIB}\n")
    monkeypatch.setattr(memory, "_MACHINE", place / "meminfo")
    monkeypatch.setattr(memory, "_CONTAINER", place)


@pytest.mark.parametrize(
    ("available", "container", "free"),
    [
        (100, None, 100),
        (100, "max", 100),
        (100, str(50 * MIB), 44),
        (30, str(50 * MIB), 30),
        (None, str(50 * MIB), 44),
        (None, str(2 * MIB), 0),
        (None, None, None),
    ],
)
def test_free_memory_is_the_least_of_machine_and_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: int | None, container: str | None, free: int | None
) -> None:
    machine(tmp_path, monkeypatch, available=available, container=container)
    assert available_bytes() == (None if free is None else free * MIB)


def test_this_machine_has_free_memory() -> None:
    free = available_bytes()
    assert free is not None
    assert 10 * MIB < free < 2**50


def test_tables_that_fit_exactly_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, monkeypatch, available=64, container=None)
    require_memory(Schema(name="toy", features=(LARGE,), tasks=(CLICK,)).resolved(), "training", copies=1)


def test_tables_that_do_not_fit_are_refused_with_their_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, monkeypatch, available=64, container=None)
    message = (
        r"^the model needs 64\.0 MiB for embedding tables, and 64\.0 MiB are free: 'user' 64\.0 MiB \(num_buckets = "
        r"1,048,575, embedding_dim = 16\); lower num_buckets or embedding_dim$"
    )
    with pytest.raises(SchemaError, match=message):
        MultiTaskRanker(SCHEMA, ModelConfig())


def test_tables_of_each_task_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path, monkeypatch, available=130, container=None)
    MultiTaskRanker(SCHEMA, ModelConfig(architecture="single_task"))
    with pytest.raises(SchemaError, match=r"^the model needs 192\.0 MiB"):
        MultiTaskRanker(SCHEMA, ModelConfig(architecture="stem"))


def test_layers_that_do_not_fit_are_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = Schema(name="toy", features=(SMALL,), tasks=(CLICK,)).resolved()
    machine(tmp_path, monkeypatch, available=64, container=None)
    message = (
        r"^the model needs 257\.\d MiB for layers, and 64\.0 MiB are free: the largest is layers\.\S+ of shape "
        r"\(8192, 8192\); lower the widths or the counts of \$\.model$"
    )
    with pytest.raises(ConfigError, match=message):
        MultiTaskRanker(schema, ModelConfig(hidden_dims=(8192, 8192)))


def test_training_counts_gradients_and_moments_of_layers(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, monkeypatch, available=10, container=None)
    config = TrainConfig(epochs=1, model=ModelConfig(hidden_dims=(1024, 1024)))
    with pytest.raises(ConfigError, match=r"^training needs 1\d\.\d MiB for layers, and 10\.0 MiB are free"):
        dry_run(toy_schema, toy_table(300), config=config)


@pytest.mark.parametrize(
    ("config", "numbers"),
    [
        (TrainConfig(), 2 * 16 + 1),
        (TrainConfig(epochs=1), 17),
        (TrainConfig(epochs=1, optimizer=OptimizerConfig(embedding="sparse_adam")), 3 * 16),
        (TrainConfig(epochs=1, ema_decay=0.9), 3 * 16 + 1),
        (TrainConfig(epochs=2, early_stopping=EarlyStoppingConfig(metric="click.auc")), 2 * 16 + 1),
        (TrainConfig(epochs=1, model=ModelConfig(architecture="single_task")), 2 * 17),
    ],
)
def test_training_counts_what_is_kept_beside_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: TrainConfig, numbers: int
) -> None:
    schema = Schema(name="toy", features=(LARGE,), tasks=(CLICK, LIKE))
    machine(tmp_path, monkeypatch, available=4 * numbers - 1, container=None)
    with pytest.raises(SchemaError, match=r"^training needs \d+\.0 MiB for embedding tables, and \d+\.0 MiB are free"):
        fit(schema, tmp_path / "absent.parquet", out=tmp_path / "run", config=config)
    advice = "; with a number of $.epochs no second copy is kept" if config.epochs == "auto" else ""
    with pytest.raises(
        SchemaError, match=rf"^training needs .*; lower num_buckets or embedding_dim{re.escape(advice)}$"
    ):
        dry_run(schema, tmp_path / "absent.parquet", config=config)
    machine(tmp_path, monkeypatch, available=4 * numbers, container=None)
    with pytest.raises(Exception, match="absent"):
        fit(schema, tmp_path / "absent.parquet", out=tmp_path / "run", config=config)


def test_tables_of_all_processes_of_the_machine_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, config = Schema(name="toy", features=(LARGE,), tasks=(CLICK,)), TrainConfig(epochs=1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    machine(tmp_path, monkeypatch, available=2 * 4 * 17 - 1, container=None)
    message = (
        r"^training in 2 processes of this machine needs 136\.0 MiB for embedding tables, and 135\.0 MiB are free: "
        r"'user' 136\.0 MiB .*; lower num_buckets or embedding_dim, or start fewer processes$"
    )
    with pytest.raises(SchemaError, match=message):
        fit(schema, tmp_path / "absent.parquet", out=tmp_path / "run", config=config)
    machine(tmp_path, monkeypatch, available=2 * 4 * 17, container=None)
    with pytest.raises(Exception, match="absent"):
        fit(schema, tmp_path / "absent.parquet", out=tmp_path / "run", config=config)


def test_where_free_memory_is_unknown_nothing_is_refused(
    toy_schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, monkeypatch, available=None, container=None)
    schema = msgspec.structs.replace(toy_schema, tasks=toy_schema.tasks[:1])
    assert dry_run(schema, toy_table(300)).train_rows > 0
