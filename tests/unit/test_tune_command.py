"""`polyrank tune`: what it prints, and what it refuses."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main

Capture = pytest.CaptureFixture[str]

TUNE = ["tune", "logs.parquet", "--schema", "schema.toml", "--config", "train.toml", "--out", "search"]
CONFIG = """
batch_size = 256
model = { hidden_dims = [8], tower_dims = [] }
validation = { resamples = 0 }
tune = { hidden_dims = [[8]] }
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    (tmp_path / "train.toml").write_text(CONFIG)
    pq.write_table(toy_table(400), tmp_path / "logs.parquet")
    return tmp_path


def test_best_trial_is_printed_and_its_file_trains(capsys: Capture) -> None:
    assert main(["--quiet", *TUNE, "--metric", "click.auc", "--trials", "2"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert " of 2: click.auc 0." in printed.out.splitlines()[0]
    assert "  hidden_dims = 8" in printed.out.splitlines()
    assert printed.out.endswith(
        "; train with: polyrank train logs.parquet --schema schema.toml --config search/best.toml\n"
    )
    best = ["train", "logs.parquet", "--schema", "schema.toml", "--config", "search/best.toml", "--out", "run"]
    assert main(["--quiet", *best]) == 0


def test_trials_are_json(capsys: Capture) -> None:
    assert main(["--quiet", *TUNE, "--metric", "rating.rmse", "--trials", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["best"]["value"] == min(trial["value"] for trial in report["trials"])
    assert report["config"] == "search/best.toml"


def test_unknown_metric_is_one_line(capsys: Capture) -> None:
    assert main([*TUNE, "--metric", "click.acu"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("polyrank: --metric 'click.acu' is none of this schema; did you mean 'click.auc'?")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--trials", "0"), "--trials must be in [1, 1000000], got 0"),
        (("--timeout-s", "0"), "--timeout-s must be above 0 and finite, got 0.0"),
    ],
)
def test_numbers_out_of_range_are_named_as_typed(given: tuple[str, ...], message: str, capsys: Capture) -> None:
    assert main([*TUNE, "--metric", "click.auc", *given]) == 1
    assert capsys.readouterr().err == f"polyrank: {message}\n"


def test_missing_metric_is_wrong_usage(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(TUNE)
    assert caught.value.code == 2
    assert "the following arguments are required: --metric" in capsys.readouterr().err
