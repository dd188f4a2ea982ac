"""`polyrank compare`: what it prints, and what it refuses."""

import json
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.commands import compare as command
from polyrank.errors import ExportError
from polyrank.reporting.records import Comparison

Capture = pytest.CaptureFixture[str]

CONFIG = """
batch_size = 256
model = { hidden_dims = [8], tower_dims = [4] }
validation = { resamples = 10 }
"""
COMPARE = ["compare", "logs.parquet", "--schema", "schema.toml", "--config", "train.toml", "--out", "runs"]
QUICK = ["--architectures", "shared_bottom", "--seeds", "1"]
RUNS = ["runs/one_per_task/click/seed-0", "runs/shared_bottom/seed-0"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.toml").write_text(TOY_TOML.partition('[[tasks]]\nname = "rating"')[0])
    (tmp_path / "train.toml").write_text(CONFIG)
    pq.write_table(toy_table(400), tmp_path / "logs.parquet")
    return tmp_path


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)


@pytest.mark.usefixtures("place", "without_onnx")
def test_tables_of_differences_and_costs_are_printed(capsys: Capture) -> None:
    assert main(["--quiet", *COMPARE, *QUICK]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith("40 validation rows, 1 seed, compared with one_per_task\n\ntask ")
    assert "One seed: the intervals say nothing of what other initial weights would change." in printed.out
    assert "\nLatency: PyTorch " in printed.out


@pytest.mark.usefixtures("place", "without_onnx")
def test_all_that_was_found_is_json(capsys: Capture) -> None:
    assert main(["--quiet", *COMPARE, *QUICK, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["baseline"] == "one_per_task"
    assert report["runs"] == {
        "one_per_task": [["runs/one_per_task/click/seed-0", "runs/one_per_task/like/seed-0"]],
        "shared_bottom": [["runs/shared_bottom/seed-0"]],
    }
    assert set(report["costs"][0]["latency_ms"]) == {"1", "100", "1000"}
    read = msgspec.convert(report, type=Comparison, strict=False)  # as a report reads it
    assert read.costs[0].latency_ms.keys() == {1, 100, 1000}


@pytest.mark.usefixtures("place")
@pytest.mark.slow
def test_runs_are_compared_in_onnx_runtime(capsys: Capture) -> None:
    assert main(["--quiet", *COMPARE, *QUICK]) == 0
    capsys.readouterr()
    assert main(["--quiet", "compare", *RUNS, "--data", "logs.parquet"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"40 validation rows, 1 seed, compared with {RUNS[0]}\n")
    assert "\nLatency: ONNX Runtime " in printed


@pytest.mark.usefixtures("place")
def test_model_that_is_not_exported_is_measured_in_pytorch(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise ExportError("the weights take 3 GiB")

    monkeypatch.setattr(command, "_onnx_answerer", refuse)
    assert main([*COMPARE, *QUICK]) == 0
    printed = capsys.readouterr()
    assert "\nLatency: PyTorch " in printed.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([*COMPARE, "--architectures", "mmeo"], "got 'mmeo'; did you mean 'mmoe'?\n"),
        ([*COMPARE, "--seeds", "0"], "polyrank: --seeds must be in [1, 1000], got 0\n"),
        (["compare", "nowhere", "other"], "nowhere is not a run directory: schema.toml is missing; train one with: "),
    ],
)
@pytest.mark.usefixtures("place")
def test_mistake_is_one_line(arguments: list[str], line: str, capsys: Capture) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("polyrank: ")
    assert line in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["compare", "a", "b", "--schema", "schema.toml"], "with --schema give the rows once"),
        (["compare", "a", "--schema", "schema.toml"], "--out is missing: the folder of the runs"),
        (["compare", "a", "b", "--out", "runs"], "--out goes with --schema, which trains models"),
        (["compare", "a", "b", "--seeds", "5"], "--seeds goes with --schema, which trains models"),
        (["compare", "a", "b", "--architectures", "ple"], "--architectures goes with --schema, which trains models"),
    ],
)
def test_wrong_usage_exits_with_two(arguments: list[str], line: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert line in capsys.readouterr().err
