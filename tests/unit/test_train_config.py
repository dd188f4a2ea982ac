import re
from pathlib import Path
from typing import Any

import pytest

from polyrank.errors import ConfigError
from polyrank.schema import toml_text
from polyrank.train import ModelConfig, OptimizerConfig, TrainConfig, ValidationConfig

NAN, INF = float("nan"), float("inf")
WRONG = {
    "unknown key": ("epoch = 1", "$: object contains unknown field epoch"),
    "unknown table": ("[trainer]", "$: object contains unknown field trainer"),
    "unknown key of a table": ("[optimizer]\nrate = 1.0", "$.optimizer: object contains unknown field rate"),
    "text for a number": ('[optimizer]\nlr = "fast"', "$.optimizer.lr: expected float, got str"),
    "fraction for a count": ("epochs = 1.5", "$.epochs: expected a whole number or 'auto', got float"),
    "boolean for a count": ("epochs = true", "$.epochs: expected a whole number or 'auto', got bool"),
    "unknown architecture": ('[model]\narchitecture = "x"', "$.model.architecture: invalid enum value 'x'"),
    "epochs in words": ('epochs = "three"', "$.epochs: invalid enum value 'three'"),
    "cosine without an end": (
        '[optimizer]\nschedule = "cosine"',
        "$.optimizer.schedule = 'cosine' ends with the last step, which $.epochs",
    ),
    "zero epochs": ("epochs = 0", "$.epochs must be in [1, 2**31), got 0"),
    "endless epochs": (f"epochs = {10**400}", "$.epochs must be in [1, 2**31), got 1000"),
    "batch of one row": ("batch_size = 1", "$.batch_size must be in [2, 2**31), got 1"),
    "negative seed": ("seed = -1", "$.seed must be in [0, 2**63), got -1"),
    "large seed": ("seed = 9223372036854775808", "$.seed must be in [0, 2**63), got 9223372036854775808"),
    "no thread": ("threads = 0", "$.threads must be in [1, 1024], got 0"),
    "negative threads": ("threads = -2", "$.threads must be in [1, 1024], got -2"),
    "too many threads": ("threads = 1025", "$.threads must be in [1, 1024], got 1025"),
    "fraction of a thread": ("threads = 1.5", "$.threads: expected int, got float"),
    "zero rate": ("[optimizer]\nlr = 0.0", "$.optimizer.lr must be above 0, got 0.0"),
    "nan rate": ("[optimizer]\nlr = nan", "$.optimizer.lr must be above 0 and finite, got nan"),
    "infinite rate": (
        "[optimizer]\nembedding_lr = inf",
        "$.optimizer.embedding_lr must be above 0 and finite, got inf",
    ),
    "negative decay": ("[optimizer]\nweight_decay = -1.0", "$.optimizer.weight_decay must be 0 or above, got -1.0"),
    "zero hours": ("[validation]\nhours = 0.0", "$.validation.hours must be above 0, got 0.0"),
    "no column": (
        "[validation]\nsplit = 'column'",
        "$.validation.column is missing; it names the column that says train or validation",
    ),
    "column of another split": (
        "[validation]\nsplit = 'group'\ncolumn = 'side'",
        "$.validation.column goes with split = 'column', got split = 'group'",
    ),
    "hours of another split": (
        "[validation]\nsplit = 'random'\nhours = 1.0",
        "$.validation.hours goes with split = 'time'; leave it out for another split",
    ),
    "hours beside a column": ("[validation]\ncolumn = 'side'\nhours = 1.0", "$.validation.hours goes with split ="),
    "unknown split": ("[validation]\nsplit = 'user'", "$.validation.split: invalid enum value 'user'"),
    "whole share": ("[validation]\nshare = 1.0", "$.validation.share must be in (0, 1), got 1.0"),
    "resamples below 0": (
        "[validation]\nresamples = -1",
        "$.validation.resamples must be in [0, 2**31), got -1",
    ),
    "nan share": ("[validation]\nshare = nan", "$.validation.share must be in (0, 1), got nan"),
    "model out of range": ("[model]\ndropout = 1.5", "$.model.dropout must be in [0, 1), got 1.5"),
    "not TOML": ("epochs = ", "not valid TOML: Invalid value (at end of document)"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train.toml"


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_wrong_config_is_refused_with_its_path(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"^/.*train\.toml: {re.escape(message)}") as caught:
        TrainConfig.load(path)
    assert len(str(caught.value).splitlines()) == 1


def test_absent_config_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cannot read configuration .*train\.toml: no such file or directory$"):
        TrainConfig.load(path)


def test_config_that_is_not_utf8_is_refused(path: Path) -> None:
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"train\.toml: not valid TOML: .*codec can't decode"):
        TrainConfig.load(path)


def test_empty_file_gives_the_defaults(path: Path) -> None:
    path.touch()
    assert TrainConfig.load(str(path)) == TrainConfig()


def test_every_value_is_read(path: Path) -> None:
    config = TrainConfig(
        epochs=3,
        batch_size=64,
        seed=7,
        threads=2,
        encoding="latin-1",
        model=ModelConfig(hidden_dims=(8,), tower_dims=(), normalization="none", dropout=0.5),
        optimizer=OptimizerConfig(lr=0.1, embedding_lr=0.2, weight_decay=0.0),
        validation=ValidationConfig(hours=2.5, share=0.5),
    )
    path.write_text(toml_text(config))
    assert TrainConfig.load(path) == config


@pytest.mark.parametrize("arguments", [{"epochs": 0}, {"batch_size": 1}, {"seed": -1}, {"threads": 0}])
def test_wrong_argument_is_refused_in_python(arguments: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"^\$\.\w+ must be in .*, got"):
        TrainConfig(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["latin-99", "rot13", "", "a\0b", 7, None])
def test_what_is_no_encoding_is_refused(encoding: Any) -> None:
    with pytest.raises(ConfigError, match=r'^\$\.encoding must be an encoding such as "utf-8" or "latin-1", got'):
        TrainConfig(encoding=encoding)
