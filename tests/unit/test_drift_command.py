"""`polyrank drift`: what it prints, writes and exits with."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.drift import Limits, Result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a schema, rows, others like them, and others that are not."""
    monkeypatch.chdir(tmp_path)
    Path("schema.toml").write_text(TOY_TOML)
    pq.write_table(toy_table(2_000, 0), "reference.parquet")
    pq.write_table(toy_table(1_500, 1), "alike.parquet")
    rows = toy_table(1_500, 1)
    pq.write_table(
        rows.set_column(4, "device", pc.replace_substring(rows["device"], "phone", "watch"))
        .set_column(5, "score", pc.add(rows["score"], 1.0))
        .set_column(1, "item_id", pc.add(rows["item_id"], 1_000).cast(pa.string())),
        "moved.parquet",
    )
    Path("folder.json").mkdir()
    return tmp_path


def drift(*options: str, current: str = "moved.parquet") -> int:
    return main(["drift", "reference.parquet", current, "--schema", "schema.toml", *options])


def test_rows_alike_exit_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(current="alike.parquet") == 0
    assert capsys.readouterr().out.endswith(
        "\n\n1,500 rows beside 2,000: 0 of 9 features drifted; 0 of 4 labels drifted\n"
    )


def test_rows_that_moved_exit_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert drift() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "part", "kind", "psi", "missing", "new", "mean", "length", "ks"]
    assert {line.split()[0] for line in lines[1:4]} == {"device", "item_id", "score"}
    assert lines[-1] == (
        f"1,500 rows beside 2,000: 3 of 9 features drifted: {', '.join(line.split()[0] for line in lines[1:4])}; "
        "0 of 4 labels drifted"
    )
    assert any(line.startswith("feature device: psi ") and "'watch' 0.0% to " in line for line in lines)


def test_limits_are_those_that_are_given() -> None:
    assert drift("--psi", "50", "--new", "1") == 0


def test_json_is_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert drift("--json", "--out", "found/drift.json") == 1
    printed = capsys.readouterr().out
    assert Path("found/drift.json").read_text() == printed
    assert sorted(one["name"] for one in json.loads(printed)["drifts"] if one["drifted"]) == [
        "device",
        "item_id",
        "score",
    ]


def test_limits_are_those_of_the_library_when_left_out() -> None:
    drift("--out", "drift.json")
    assert Result.load(Path("drift.json")).limits == Limits()


def test_scores_of_a_run_are_compared(toy_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift("--model", str(toy_run), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["model"]["source"], found["model"]["name"]) == (str(toy_run), "toy")
    scores = [one for one in found["drifts"] if one["part"] == "score"]
    assert {one["name"] for one in scores} == {"click", "like", "rating", "watch_s"}


def test_schema_may_be_that_of_the_model(toy_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "reference.parquet", "reference.parquet", "--model", str(toy_run)]) == 0
    assert capsys.readouterr().out.endswith("0 of 9 features drifted; 0 of 4 labels drifted; 0 of 4 scores drifted\n")


def test_scores_in_columns_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    for name, shift in (("reference", 0.0), ("current", 0.4)):
        scores = pa.array([shift + row / 5_000 for row in range(2_000)])
        scored = toy_table(2_000, 0)
        for task in ("click", "like"):  # the others have their labels there
            scored = scored.append_column(task, scores)
        pq.write_table(scored, f"{name}.parquet")
    assert drift("--scores", current="current.parquet") == 1
    assert "2 of 4 scores drifted: click, like; labels not compared: rating, watch_s\n" in capsys.readouterr().out


WRONG = {
    "psi": (["--psi", "0"], "--psi must be above 0 and finite, got 0.0"),
    "missing": (["--missing", "2"], "--missing must be above 0 and at most 1, got 2.0"),
    "new": (["--new", "nan"], "--new must be above 0 and at most 1, got nan"),
    "label": (["--label", "-1"], "--label must be above 0 and finite, got -1.0"),
    "encoding": (["--encoding", "klingon"], "--encoding "),
    "model": (["--model", "nowhere"], "--model must be the directory of a run (polyrank train) or a bundle (polyrank "),
    "time": (["--model", "localhost:1", "--timeout-s", "0"], "--timeout-s must be above 0"),
    "scores": (["--scores"], "reference.parquet: column 'click' is missing"),
    "rows": (
        ["--out", "reference.parquet"],
        "cannot write reference.parquet: it is a file of the rows reference.parquet",
    ),
    "schema": (["--out", "schema.toml"], "cannot write schema.toml: it is schema.toml, which is read; choose another"),
    "out": (["--out", "folder.json"], "cannot write folder.json: is a directory"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_are_one_line(capsys: pytest.CaptureFixture[str], case: str) -> None:
    options, message = WRONG[case]
    assert drift(*options) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1


def test_name_of_another_model_is_one_line(toy_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift("--model", str(toy_run), "--name", "other") == 1
    assert capsys.readouterr().err.startswith("polyrank: --name must be 'toy', the model of ")


def test_refused_comparison_writes_nothing() -> None:
    assert drift("--out", "found.json", current="nothing.parquet") == 1
    assert not Path("found.json").exists()


def test_data_that_are_absent_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(current="nothing.parquet") == 1
    assert capsys.readouterr().err == (
        "polyrank: nothing.parquet does not exist; give a file, a directory of files, or a pattern such as "
        "'logs/*.parquet'\n"
    )


USAGE = {
    "no schema": ([], "give --schema, or --model, whose schema says what is compared"),
    "both scores": (["--model", "run", "--scores"], "argument --scores: not allowed with argument --model"),
    "a name alone": (["--schema", "schema.toml", "--name", "toy"], "--name goes with --model"),
    "a time alone": (["--schema", "schema.toml", "--timeout-s", "5"], "--timeout-s goes with --model"),
    "a client alone": (["--schema", "schema.toml", "--client", "client.toml"], "--client goes with --model"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_exits_with_two(capsys: pytest.CaptureFixture[str], case: str) -> None:
    options, message = USAGE[case]
    with pytest.raises(SystemExit) as caught:
        main(["drift", "reference.parquet", "moved.parquet", *options])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
