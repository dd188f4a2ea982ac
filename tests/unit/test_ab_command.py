"""`polyrank ab`: what it prints and writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from joins import SHOP_TOML
from simulated_clicks import arm_rows

from polyrank.__main__ import main
from polyrank.experiments import Comparison, Interleaving

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a schema and rows."""
    monkeypatch.chdir(tmp_path)
    Path("schema.toml").write_text(SHOP_TOML)
    rows = arm_rows(np.random.default_rng(0), 150, lift=0.5)
    ones = pa.array(np.ones(rows.num_rows))
    rows = rows.append_column("clicked", ones).append_column("num_plays", ones).append_column("version", rows["arm"])
    pq.write_table(rows.append_column("request_id", pa.array(np.arange(rows.num_rows) // 2)), "rows.parquet")
    return tmp_path


def ab(*options: str) -> int:
    return main(["ab", "rows.parquet", "--schema", "schema.toml", *options])


def test_a_line_is_printed_for_each_task_and_arm(capsys: Capture) -> None:
    assert ab("--shares", "control=1,treatment=1", "--size", "0.01") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:7]] == [
        [task, arm, "75"] for task in ("click", "plays", "stars") for arm in ("control", "treatment")
    ]
    assert lines[6].endswith("differs")
    assert lines[8:10] == [
        "sample ratio: users control 75 of 75, treatment 75 of 75 expected; p 1, as intended",
        "too few users for intervals to hold, 100 expected: control 75, treatment 75",
    ]
    assert lines[-2].startswith("stars, treatment: ")
    assert lines[-2].endswith(" users in both arms")
    assert lines[-1] == ("1 of 3 differences from control are more than chance, all taken together: stars of treatment")


def test_users_of_both_arms_and_rows_of_none_are_told(capsys: Capture) -> None:
    rows = pq.read_table("rows.parquet")
    arms = pa.array([("a", "b", None)[row % 3] for row in range(rows.num_rows)])
    pq.write_table(rows.set_column(1, "arm", arms), "rows.parquet")
    assert ab() == 0
    out = capsys.readouterr().out
    assert "users saw more than one of them; their rows count for each\n" in out
    assert f"{sum(arm is None for arm in arms.to_pylist()):,} rows have no arm and are left out\n" in out


def test_json_is_the_file(capsys: Capture) -> None:
    assert ab("--json", "--by", "version", "--baseline", "treatment", "--out", "ab.json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("ab.json").read_text())
    assert Comparison.load(Path("ab.json")).baseline == "treatment"


def test_interleaved_lists_are_counted(capsys: Capture) -> None:
    assert ab("--interleaved", "--out", "ab.json") == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:4] == ["task", "arm", "lists", "wins"]
    assert Interleaving.load(Path("ab.json")).found[0].arm == "treatment"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shares", "control"), "--shares must be NAME=SHARE,..., such as control=1,treatment=1, got 'control'"),
        (("--shares", "control=1"), "--shares must be of the arms control, treatment, got control"),
        (("--size", "0"), "--size must be above 0 and finite, got 0"),
        (("--baseline", "x"), "--baseline must be an arm, got 'x'"),
        (("--by", "group"), "rows.parquet: column 'group' is missing"),
        (("--confidence", "2"), "--confidence must be in (0, 1), got 2.0"),
    ],
)
def test_wrong_options_are_refused_in_a_line(options: tuple[str, ...], message: str, capsys: Capture) -> None:
    assert ab(*options) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--shares", "control=one"),
            "--shares must be NAME=SHARE,..., such as control=1,treatment=1, got 'control=one'",
        ),
        (
            ("--shares", "control=1,treatment=1,control=2"),
            "--shares names arm 'control' twice; name it once",
        ),
        (("--size", "-0.01"), "--size must be above 0 and finite, got -0.01"),
    ],
)
def test_sizes_and_shares_are_checked_before_rows_are_read(
    options: tuple[str, ...], message: str, capsys: Capture
) -> None:
    Path("rows.parquet").unlink()
    assert ab(*options) == 1
    assert capsys.readouterr().err == f"polyrank: {message}\n"


def test_shares_of_interleaved_lists_are_wrong_usage(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        ab("--interleaved", "--size", "1")
    assert ended.value.code == 2
    assert "--shares and --size are of users in arms" in capsys.readouterr().err
