"""`polyrank evaluate`: what it prints and writes."""

import json
import re
import shutil
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.evaluate_verb import LEAST, QUICK, Capture, evaluate, found_json, write_rows
from artefacts.invented_result import metric, rich_result
from artefacts.scripted_http import ScriptedHttp
from toy import toy_table

from polyrank.__main__ import main
from polyrank.answering import origin_of
from polyrank.commands.evaluation_text import result_text
from polyrank.evaluation.results import Result


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that one is in."""
    monkeypatch.chdir(tmp_path)
    return write_rows(tmp_path)


@pytest.mark.usefixtures("place")
def test_text_says_what_was_measured(toy_run: Path, capsys: Capture) -> None:
    assert evaluate(toy_run, "few.parquet", *QUICK) == 0
    printed = capsys.readouterr()
    heading, _, head, first, *_ = printed.out.splitlines()
    assert heading.startswith("run toy (")
    assert heading.endswith("), 200 rows")
    assert head.split() == ["task", "metric", "value", "95%", "interval"]
    assert first.split()[:2] == ["click", "auc"]
    assert "\n\nThe best 10 of 40 items for each of 3 users: " in printed.out
    assert "\n\nWorse by, in 40 rows:\n\nshuffled column  click auc" in printed.out
    assert printed.err == ""


@pytest.mark.usefixtures("place")
def test_parts_that_are_worse_are_shown(toy_run: Path, capsys: Capture) -> None:
    rows = toy_table(2_000, 0)
    is_bad = [position % 4 == 0 for position in range(2_000)]
    far = [1e4 if bad else rating for bad, rating in zip(is_bad, rows["rating"].to_pylist(), strict=True)]
    bad = rows.set_column(rows.column_names.index("rating"), "rating", pa.array(far))
    pq.write_table(bad.append_column("is_bad", pa.array(is_bad)), "bad.parquet")
    assert evaluate(toy_run, "bad.parquet", "--by", "is_bad", *LEAST) == 0
    told, _, text = capsys.readouterr().out.partition("; about 5% of such are so by chance.\n\n")
    assert re.search(
        r"\n\nOf \d+ parts, one for each value and task, \d+ are worse than all rows, beyond chance$", told
    )
    head, worst, *_ = text.splitlines()
    assert head.split() == ["slice", "rows", "task", "metric", "value", "interval", "all", "rows"]
    assert worst.split()[:5] == ["is_bad:", "true", "500", "rating", "rmse"]


def test_huge_values_are_printed_with_an_exponent() -> None:
    (task, *rest) = rich_result().tasks
    rmse = metric("rmse", 1.84679e28, 1e27)
    found = msgspec.structs.replace(rich_result(), tasks=(msgspec.structs.replace(task, metrics=(rmse,)), *rest))
    assert "rmse         1.846790e+28  1.7468e+28 to 1.9468e+28\n" in result_text(found)


@pytest.mark.usefixtures("place")
def test_json_is_a_result(toy_run: Path, capsys: Capture) -> None:
    found = found_json(capsys, toy_run, "few.parquet", *LEAST, "--level", "0.8", "--seed", "7")
    assert (found["format"], found["level"], found["resamples"], found["seed"]) == (1, 0.8, 40, 7)
    assert found["data"] == {
        **dict.fromkeys(("group", "groups", "validation_of")),
        "source": "few.parquet",
        "part": "all",
        "rows": 200,
        "begins": "2022-04-15T05:20:00Z",
        "ends": "2022-04-15T08:39:00Z",
        "chose_epoch": False,
        "as_trained": False,
    }


@pytest.mark.usefixtures("place")
def test_file_holds_what_json_prints(toy_run: Path, capsys: Capture) -> None:
    printed = found_json(capsys, toy_run, "few.parquet", *LEAST, "--out", "deep/found.json")
    assert json.loads(Path("deep/found.json").read_text()) == printed
    assert Result.load(Path("deep/found.json")).data.rows == 200


@pytest.mark.usefixtures("place")
def test_text_says_where_all_of_it_is(toy_run: Path, capsys: Capture) -> None:
    assert evaluate(toy_run, "few.parquet", *LEAST, "--out", "found.json") == 0
    assert capsys.readouterr().out.endswith("\nall of it: found.json; as a page: polyrank report found.json\n")


@pytest.mark.usefixtures("place")
def test_file_that_is_there_is_replaced(toy_run: Path) -> None:
    Path("found.json").write_text("old")
    assert evaluate(toy_run, "few.parquet", *LEAST, "--out", "found.json") == 0
    assert Result.load(Path("found.json")).data.rows == 200


@pytest.mark.usefixtures("place")
def test_options_reach_the_evaluation(toy_run: Path, capsys: Capture) -> None:
    options = ["--by", "plays", "--by", "history", "--user", "device", "--item", "tags_of", "--known", "known.parquet"]
    table = toy_table(200).append_column("tags_of", pa.array([f"t{number % 30}" for number in range(200)]))
    pq.write_table(table, "tagged.parquet")
    pq.write_table(table.slice(0, 20), "known.parquet")
    found = found_json(capsys, toy_run, "tagged.parquet", *QUICK, *options, "--top-k", "3", "--weight", "click=-2")
    assert {"is tags_of new", "rows of device", "plays", "length of history"} <= {
        each["by"] for each in found["slices"]
    }
    assert (found["catalogue"]["item"], found["catalogue"]["users"], found["catalogue"]["k"]) == ("tags_of", 3, 3)
    assert found["catalogue"]["weights"] == {"click": -2.0, "like": 0.0, "rating": 0.0, "watch_s": 0.0}
    assert (found["importance"]["rows"], found["importance"]["shuffles"]) == (40, 1)


@pytest.mark.usefixtures("place")
def test_rows_that_validated_are_evaluated_alone(toy_run: Path, capsys: Capture) -> None:
    found = found_json(capsys, toy_run, "rows.parquet", *LEAST, "--validation-of", toy_run)
    report = json.loads((toy_run / "metrics.json").read_text())
    assert (found["data"]["part"], found["data"]["rows"]) == ("validation", report["validation_rows"])
    assert {each["kind"] for each in found["slices"]} >= {"activity", "column"}


@pytest.mark.usefixtures("place")
def test_rows_that_validated_say_of_which_run(toy_run: Path, capsys: Capture) -> None:
    found = found_json(capsys, toy_run, "rows.parquet", *LEAST, "--validation-of", toy_run)
    assert found["data"]["validation_of"] == found["model"]["run_id"]
    assert not found["data"]["chose_epoch"]


@pytest.mark.parametrize("model", ["toy_run", "toy_bundle"])
@pytest.mark.usefixtures("place")
def test_rows_that_may_be_those_of_the_training_are_told(
    request: pytest.FixtureRequest, capsys: Capture, model: str
) -> None:
    assert evaluate(request.getfixturevalue(model), "rows.parquet", *LEAST) == 0
    assert "\n\nAs many rows as the run was made of: if they are the same, it was trained" in capsys.readouterr().out


@pytest.mark.usefixtures("place")
def test_damaged_metrics_of_the_run_are_told_before_rows_are_read(toy_run: Path, place: Path, capsys: Capture) -> None:
    run = shutil.copytree(toy_run, place / "run")
    (run / "metrics.json").write_text("{")
    assert evaluate(run, "none.parquet") == 1
    assert capsys.readouterr().err.startswith(f"polyrank: {run}/metrics.json cannot be read: ")


def test_help_says_what_is_drawn_when_left_out(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "0 none (default 10,000)" in text
    assert "0 none (default 100)" in text


@pytest.fixture
def chosen_run(toy_run: Path, place: Path) -> Path:
    """As the toy run, but that validation chose its epoch."""
    run = shutil.copytree(toy_run, place / "run")
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace("epochs = 2\n", 'epochs = "auto"\n'))
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"run_id": origin_of(str(run))[0]}))
    return run


def test_rows_chose_the_epoch_of_their_own_run(chosen_run: Path, capsys: Capture) -> None:
    assert found_json(capsys, chosen_run, "rows.parquet", *LEAST, "--validation-of", chosen_run)["data"]["chose_epoch"]


def test_rows_chose_no_epoch_of_another_run(toy_run: Path, chosen_run: Path, capsys: Capture) -> None:
    found = found_json(capsys, toy_run, "rows.parquet", *LEAST, "--validation-of", chosen_run)
    assert found["data"]["validation_of"] == origin_of(str(chosen_run))[0]
    assert not found["data"]["chose_epoch"]


@pytest.fixture
def latin_run(toy_run: Path, place: Path) -> Path:
    """As the toy run, but of `latin.jsonl`, which is in latin-1."""
    run = shutil.copytree(toy_run, place / "latin")
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace('encoding = "utf-8"', 'encoding = "latin-1"'))
    lines = [json.dumps(row | {"device": "té"}, ensure_ascii=False) for row in toy_table(2_000, 0).to_pylist()]
    Path("latin.jsonl").write_text("\n".join(lines), encoding="latin-1")
    return run


def test_rows_of_validation_are_read_as_the_run_read_them(toy_run: Path, latin_run: Path, capsys: Capture) -> None:
    found = found_json(capsys, toy_run, "latin.jsonl", *LEAST, "--validation-of", latin_run)
    assert found["data"]["rows"] == 200


def test_encoding_that_is_named_is_taken_for_rows_of_validation(
    toy_run: Path, latin_run: Path, capsys: Capture
) -> None:
    assert evaluate(toy_run, "latin.jsonl", *LEAST, "--validation-of", latin_run, "--encoding", "utf-8") == 1
    assert capsys.readouterr().err.startswith(
        "polyrank: latin.jsonl cannot be read as JSON Lines: line 1 is not UTF-8 text"
    )


@pytest.mark.usefixtures("place")
def test_bundle_is_evaluated(toy_bundle: Path, capsys: Capture) -> None:
    found = found_json(capsys, toy_bundle, "few.parquet", *LEAST)
    assert (found["model"]["kind"], found["model"]["source"]) == ("bundle", str(toy_bundle))


def test_server_is_evaluated(tmp_path: Path, capsys: Capture) -> None:
    pq.write_table(pa.table({"item": [1, 2, 3], "is_click": [0, 1, 1]}), tmp_path / "rows.parquet")
    with ScriptedHttp().listening() as url:
        found = found_json(capsys, url, tmp_path / "rows.parquet", *LEAST)
    assert (found["model"]["kind"], found["model"]["name"], found["model"]["version"]) == ("server", "fake", "1")
    assert found["tasks"][0]["metrics"][0]["value"] == 0.5


@pytest.mark.usefixtures("place")
def test_progress_is_on_standard_error(toy_run: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.commands.progress.PATIENCE_S", 0.0)
    monkeypatch.setattr("polyrank.commands.progress.PERIOD_S", {True: 0.0, False: 0.0})
    assert main(["evaluate", str(toy_run), "few.parquet", *QUICK]) == 0
    told = capsys.readouterr().err.splitlines()
    assert list(dict.fromkeys(line.partition(":")[0] for line in told)) == ["answer", "measure", "recommend", "shuffle"]
