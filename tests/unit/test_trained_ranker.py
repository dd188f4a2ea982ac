import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from polyrank.errors import DataError, SchemaError
from polyrank.models import TrainedRanker, trained
from polyrank.models.trained import predict


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_run, tmp_path / "run"))


def test_run_is_loaded_whole(toy_run: Path) -> None:
    loaded = TrainedRanker.load(toy_run)
    stored = load_file(toy_run / "weights.safetensors")
    assert loaded.schema.name == "toy"
    assert loaded.config.hidden_dims == (128, 64)
    assert not loaded.model.training
    assert set(stored) == set(loaded.model.state_dict())
    assert_array_equal(
        loaded.model.state_dict()["inputs.0.embeddings.tables.dim_8.weight"],
        stored["inputs.0.embeddings.tables.dim_8.weight"],
    )


def test_sample_can_be_scored(toy_run: Path) -> None:
    loaded = TrainedRanker.load(toy_run)
    assert len(predict(loaded.model, loaded.sample)["click"]) == 200


def test_sample_has_the_labels_of_its_rows(toy_run: Path) -> None:
    loaded = TrainedRanker.load(toy_run)
    assert loaded.labels is not None
    assert loaded.labels.shape == (200, 4)
    assert set(np.unique(loaded.labels[:, 0])) == {0.0, 1.0}
    assert np.isnan(loaded.labels[:, 1]).any()  # a like is observed after a click alone


def test_run_without_labels_is_read(run: Path) -> None:
    stored = load_file(run / "sample.safetensors")
    del stored["labels"]
    save_file(stored, run / "sample.safetensors")
    assert TrainedRanker.load(run).labels is None


def test_run_id_hashes_schema_config_and_weights(toy_run: Path) -> None:
    content = b"".join((toy_run / name).read_bytes() for name in ("schema.toml", "config.toml", "weights.safetensors"))
    assert TrainedRanker.load(toy_run).run_id == hashlib.sha256(content).hexdigest()[:12]


@pytest.mark.parametrize("name", ["schema.toml", "config.toml", "weights.safetensors", "sample.safetensors"])
def test_missing_file_of_a_run_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(
        DataError, match=f"run is not a run directory: {name} is missing; train one with: polyrank train"
    ):
        TrainedRanker.load(run)


def test_absent_run_is_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a run directory: schema\.toml is missing"):
        TrainedRanker.load(tmp_path / "nowhere")


def cut(name: str, size: int) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:size])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut in the header": (cut("weights.safetensors", 100), "Error while deserializing header"),
    "weights cut in the data": (cut("weights.safetensors", 20_000), "Error while deserializing header"),
    "weights empty": (cut("weights.safetensors", 0), "Error while deserializing header"),
    "weights of other buckets": (
        lambda run: (run / "schema.toml").write_text(
            (run / "schema.toml").read_text().replace("num_buckets = 500", "num_buckets = 501")
        ),
        r"size mismatch for inputs\.0\.embeddings\.tables\.dim_8\.weight",
    ),
    "weights of another model": (
        lambda run: save_file({"x": torch.zeros(1)}, run / "weights.safetensors"),
        "Unexpected key",
    ),
    "config without a model": (lambda run: (run / "config.toml").write_text("epochs = 1"), "missing required field"),
    "config that is no TOML": (lambda run: (run / "config.toml").write_text("["), "Invalid initial character"),
    "config not UTF-8": (lambda run: (run / "config.toml").write_bytes(b"\xff"), "codec can't decode"),
    "sample cut": (cut("sample.safetensors", 50), "Error while deserializing header"),
    "sample without ids": (
        lambda run: save_file({"dense": torch.zeros(2, 4)}, run / "sample.safetensors"),
        r"sample\.safetensors does not fit schema\.toml",
    ),
    "labels of another schema": (
        lambda run: save_file(
            load_file(run / "sample.safetensors") | {"labels": torch.zeros(200, 3)}, run / "sample.safetensors"
        ),
        r"labels of sample\.safetensors do not fit schema\.toml",
    ),
    "sample of another schema": (
        lambda run: save_file(
            {"ids": torch.zeros(2, 3, dtype=torch.int64), "dense": torch.zeros(2, 4)}, run / "sample.safetensors"
        ),
        r"sample\.safetensors does not fit schema\.toml",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_run_is_refused_in_one_line(run: Path, damage: Callable[[Path], object], reason: str) -> None:
    damage(run)
    with pytest.raises(DataError, match=rf"^run directory .*run is damaged: .*{reason}.*; train it anew$"):
        TrainedRanker.load(run)


def test_damaged_schema_of_a_run_is_named(run: Path) -> None:
    (run / "schema.toml").write_text("[")
    with pytest.raises(SchemaError, match=r"run/schema\.toml: not valid TOML"):
        TrainedRanker.load(run)


def test_refusal_of_the_system_is_an_os_error(run: Path, toy_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = TrainedRanker.load(toy_run)

    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(trained, "save_file", full)
    with pytest.raises(OSError, match="No space left on device"):
        TrainedRanker.save(run, loaded.schema, "", loaded.model, loaded.sample)


def test_other_refusals_of_safetensors_pass(run: Path, toy_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = TrainedRanker.load(toy_run)

    def wrong(*_: object) -> None:
        raise SafetensorError("no such dtype")

    monkeypatch.setattr(trained, "save_file", wrong)
    with pytest.raises(SafetensorError, match="no such dtype"):
        TrainedRanker.save(run, loaded.schema, "", loaded.model, loaded.sample)


@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o644), (0o750, 0o640)])
def test_weights_are_for_whom_their_folder_lets_in(toy_run: Path, tmp_path: Path, folder: int, file: int) -> None:
    loaded, run = TrainedRanker.load(toy_run), tmp_path / "run"
    run.mkdir(mode=folder)
    TrainedRanker.save(run, loaded.schema, "", loaded.model, loaded.sample)
    assert {path.stat().st_mode & 0o777 for path in run.glob("*.safetensors")} == {file}


def test_wrong_shape_in_a_run_is_refused(run: Path) -> None:
    text = (run / "config.toml").read_text()
    (run / "config.toml").write_text(text.replace("dropout = 0.0", "dropout = 2.0"))
    with pytest.raises(DataError, match=r"is damaged: \$\.model\.dropout must be in \[0, 1\), got 2\.0"):
        TrainedRanker.load(run)
