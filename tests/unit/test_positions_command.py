"""`polyrank positions`: what it prints and writes, and what it refuses."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from joins import SHOP_TOML
from simulated_clicks import simulated_clicks

from polyrank.__main__ import main
from polyrank.positions import Positions

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a schema and rows."""
    monkeypatch.chdir(tmp_path)
    Path("schema.toml").write_text(SHOP_TOML)
    pq.write_table(simulated_clicks(0), "rows.parquet")
    return tmp_path


def positions(*options: str) -> int:
    return main(["positions", "rows.parquet", "--schema", "schema.toml", *options])


def test_a_line_is_printed_for_each_rank(capsys: Capture) -> None:
    assert positions("--out", "positions.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rank", "impressions", "clicks", "examination", "interval", "weight"]
    assert [line.split()[0] for line in lines[1:5]] == ["1", "2", "3", "4"]
    assert lines[6].startswith("task 'click', by pairs of ranks at which an item was shown to one user: ")
    found = Positions.load(Path("positions.json"))
    assert [f"{each.examination:.3f}" for each in found.ranks][1] == lines[2].split()[3]


def test_json_is_the_file(capsys: Capture) -> None:
    assert positions("--json", "--method", "em", "--max-rank", "3", "--out", "positions.json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("positions.json").read_text())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max-rank", "1"), "--max-rank must be an integer in [2, 200], got 1"),
        (("--method", "x"), "--method must be one of auto, pairs, em, got 'x'"),
        (("--task", "plays"), "--task must be a binary one, click, got 'plays'"),
        (("--rank", "place"), "column 'place' is missing"),
        (("--out", "rows.parquet"), "cannot write rows.parquet: it is a file of the rows rows.parquet"),
    ],
)
def test_wrong_options_are_refused_in_a_line(options: tuple[str, ...], message: str, capsys: Capture) -> None:
    assert positions(*options) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
