"""`polyrank evaluate`: what it prints and writes, and what it refuses in one line that names what was typed."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.invented_result import metric, rich_result
from artefacts.scripted_http import ScriptedHttp
from toy import toy_table

from polyrank.__main__ import main
from polyrank.answering import origin_of
from polyrank.commands.evaluation_text import result_text
from polyrank.evaluation.results import Result

Capture = pytest.CaptureFixture[str]

QUICK = ["--resamples", "40", "--importance-rows", "40", "--shuffles", "1", "--catalogue-users", "3"]
LEAST = ["--resamples", "40", "--importance-rows", "0", "--catalogue-users", "0"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows that the toy run was trained on."""
    file = tmp_path_factory.mktemp("evaluate") / "rows.parquet"
    pq.write_table(toy_table(2_000, 0), file)
    return file


@pytest.fixture
def place(rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that one is in, with `rows.parquet`, of which `few.parquet` are some."""
    monkeypatch.chdir(tmp_path)
    Path("rows.parquet").symlink_to(rows)
    pq.write_table(toy_table(2_000, 0).slice(0, 200), "few.parquet")
    return tmp_path


def evaluate(*words: object) -> int:
    return main(["--quiet", "evaluate", *map(str, words)])


def found_json(capsys: Capture, *words: object) -> Any:
    assert evaluate(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)


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


def write(file: str, table: pa.Table) -> None:
    pq.write_table(table, file)


def without(column: str) -> pa.Table:
    return toy_table(20).drop_columns([column])


def changed(column: str, value: Any) -> pa.Table:
    table = toy_table(20)
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array([*table[column].to_pylist()[:19], value]))


ROWS: dict[str, tuple[Callable[[], object], str]] = {
    "absent": (lambda: None, "other.parquet does not exist; give a file, a directory of files, or a pattern"),
    "no row": (lambda: write("other.parquet", toy_table(1)[:0]), "other.parquet holds no row"),
    "no bytes": (lambda: Path("other.parquet").touch(), "other.parquet cannot be read as Parquet: "),
    "no label": (lambda: write("other.parquet", without("is_like")), "other.parquet: column 'is_like' is missing"),
    "no time": (lambda: write("other.parquet", without("time_ms")), "other.parquet: column 'time_ms' is missing"),
    "no feature": (lambda: write("other.parquet", without("device")), "other.parquet: column 'device' is missing"),
    "a wrong label": (
        lambda: write("other.parquet", changed("is_click", 3)),
        "other.parquet: label column 'is_click' holds 3 at row 20; 0 or 1 expected for a binary task (task 'click')",
    ),
    "a wrong value": (
        lambda: write("other.parquet", changed("plays", -1)),
        "other.parquet: column 'plays' holds -1.0 at row 20",
    ),
}


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.usefixtures("place")
def test_rows_that_cannot_be_evaluated_are_one_line(toy_run: Path, capsys: Capture, case: str) -> None:
    prepare, message = ROWS[case]
    prepare()
    assert evaluate(toy_run, "other.parquet", *LEAST, "--out", "found.json") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert not Path("found.json").exists()


REFUSED = {
    "an unknown column": (["--by", "nope"], "few.parquet: column 'nope' is missing"),
    "a column of columns": (["--by", "pair"], "--by names column 'pair' of type struct<a: int64>; name one of numbers"),
    "a column twice": (["--by", "age", "--by", "age"], "--by names column 'age' twice; name it once"),
    "no best": (["--top-k", "0"], "--top-k must be an integer in [1, 10000], got 0"),
    "no level": (["--level", "2"], "--level must be in (0, 1), got 2.0"),
    "a level that is none": (["--level", "nan"], "--level must be in (0, 1), got nan"),
    "no resamples": (["--resamples", "0"], "--resamples must be 1 or above, got 0"),
    "few resamples": (["--resamples", "9", "--level", "0.8"], "--resamples must be at least 10 for level 0.8, got 9"),
    "a negative seed": (["--seed", "-1"], "--seed must be 0 or above, got -1"),
    "no shuffle": (["--shuffles", "0"], "--shuffles must be an integer in [1, 100], got 0"),
    "negative rows": (["--importance-rows", "-1"], "--importance-rows must be an integer in [0, 10000000], got -1"),
    "negative users": (["--catalogue-users", "-1"], "--catalogue-users must be an integer in [0, 10000000], got -1"),
    "another task": (["--weight", "nope=1"], "--weight names 'nope', which is no task of model 'toy' with one answer:"),
    "a task twice": (["--weight", "click=1", "--weight", "click=2"], "--weight names task 'click' twice; name it once"),
    "a weight that is none": (["--weight", "click=nan"], "--weight['click'] must be a number from -1e+30 to 1e+30"),
    "weights of nothing": (["--weight", "click=0"], "--weight must hold a number other than 0, or every item scores"),
    "another name": (["--name", "nope"], "--name must be 'toy', the model of "),
    "no time": (["--timeout-s", "0", "--url", "localhost:1"], "--timeout-s must be above 0"),
    "an unknown user": (["--user", "users"], "few.parquet: column 'users' is missing; did you mean 'user_id'?"),
    "no encoding": (["--encoding", "nope"], "--encoding must be an encoding such as "),
    "two known": (
        ["--known", "few.parquet", "--validation-of", "RUN"],
        "--known does not go with the validation rows of a run, whose other rows are known",
    ),
    "known that is not there": (["--known", "none.parquet"], "none.parquet does not exist; give a file"),
    "no run": (["--validation-of", "folder"], "--validation-of folder is not a run directory: schema.toml is missing"),
    "other rows": (
        ["--validation-of", "RUN"],
        "few.parquet holds 200 rows, 20 of which would validate; run RUN was made of 2,000 with 200: name the rows",
    ),
    "a folder as server": (["--url", "RUN"], "--url must be host:port of the server, as in localhost:8000, "),
    "no server": (["--url", "nowhere"], "--url must be host:port of the server, as in localhost:8000, "),
    "a folder to write": (["--out", "folder"], "cannot write folder: is a directory; choose another output file"),
    "a file as folder": (["--out", "few.parquet/x"], "cannot write few.parquet/x: not a directory"),
    "the rows": (["--out", "few.parquet"], "cannot write few.parquet: it is a file of the rows few.parquet; choose"),
    "a link to the rows": (["--out", "link"], "cannot write link: it is a file of the rows few.parquet; choose"),
    "what was known": (
        ["--known", "rows.parquet", "--out", "rows.parquet"],
        "cannot write rows.parquet: it is a file of the rows rows.parquet; choose another output file",
    ),
    "a file of the run": (
        ["--out", "RUN/found.json"],
        "cannot write RUN/found.json: it would lie in RUN, which is read",
    ),
    "a stream": (["--out", "/dev/stdout"], "cannot write /dev/stdout: it is a stream"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_options_are_one_line(toy_run: Path, place: Path, capsys: Capture, case: str) -> None:
    options, message = REFUSED[case]
    Path("folder").mkdir()
    Path("link").symlink_to("few.parquet")
    pairs = pa.array([{"a": number} for number in range(200)])
    (place / "few.parquet").unlink()
    pq.write_table(toy_table(2_000, 0).slice(0, 200).append_column("pair", pairs), "few.parquet")
    own = [word.replace("RUN", str(toy_run)) for word in options]
    assert evaluate(toy_run, "few.parquet", *LEAST, *own) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message.replace('RUN', str(toy_run))}")
    assert error.count("\n") == 1
    assert sorted(path.name for path in place.iterdir()) == ["few.parquet", "folder", "link", "rows.parquet"]


@pytest.mark.parametrize("rows", ["logs", "logs/*"])
@pytest.mark.usefixtures("place")
def test_file_that_would_be_among_the_rows_is_refused(toy_run: Path, capsys: Capture, rows: str) -> None:
    Path("logs").mkdir()
    Path("few.parquet").rename("logs/a.parquet")
    assert evaluate(toy_run, rows, *LEAST, "--out", "logs/found.jsonl") == 1
    expected = (
        f"cannot write logs/found.jsonl: files there would be rows of {rows} the next time; choose another folder"
    )
    assert capsys.readouterr().err == f"polyrank: {expected}\n"


@pytest.mark.usefixtures("place")
def test_json_beside_the_rows_is_written(toy_run: Path) -> None:
    Path("logs").mkdir()
    Path("few.parquet").rename("logs/a.parquet")
    for _ in range(2):
        assert evaluate(toy_run, "logs", *LEAST, "--out", "logs/found.json") == 0


MODELS = {
    "nowhere": "which is neither a directory nor an address\n",
    "few.parquet": "which is a file\n",
    ".": "a directory without weights.safetensors and signature.json\n",
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("place")
def test_model_that_is_none_is_one_line(capsys: Capture, model: str) -> None:
    assert evaluate(model, "few.parquet") == 1
    error = capsys.readouterr().err
    assert error.startswith("polyrank: model must be the directory of a run (polyrank train) or a bundle")
    assert error.endswith(f"got {model!r}, {MODELS[model]}")


@pytest.mark.usefixtures("place")
def test_server_of_another_run_is_refused(toy_run: Path, capsys: Capture) -> None:
    with ScriptedHttp().listening() as url:
        assert evaluate(toy_run, "few.parquet", "--url", url) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: --url {url} serves run 0123456789ab, and {toy_run} is run ")
    assert error.endswith("; publish it, or name the run that is served\n")


@pytest.mark.usefixtures("place")
def test_precision_of_what_answered_is_kept(toy_run: Path, toy_bundle: Path, capsys: Capture) -> None:
    found = [found_json(capsys, model, "few.parquet", *LEAST)["model"]["precision"] for model in (toy_run, toy_bundle)]
    assert found == ["embeddings fp32, dense fp32"] * 2


def test_server_of_another_precision_is_refused(toy_bundle: Path, place: Path, capsys: Capture) -> None:
    bundle = shutil.copytree(toy_bundle, place / "bundle")
    signature = json.loads((bundle / "signature.json").read_text())
    changed = {"run_id": "0123456789ab", "precision": {"embeddings": "int8"}}
    (bundle / "signature.json").write_text(json.dumps(signature | changed))
    with ScriptedHttp().listening() as url:
        assert evaluate(bundle, "few.parquet", "--url", url) == 1
    assert capsys.readouterr().err == (
        f"polyrank: --url {url} serves embeddings fp32, dense fp32, and {bundle} is embeddings int8, dense fp32; "
        "publish it, or name the bundle that is served\n"
    )


@pytest.mark.usefixtures("place")
def test_server_beside_a_server_is_refused(capsys: Capture) -> None:
    with ScriptedHttp().listening() as url:
        assert evaluate(url, "few.parquet", "--url", url) == 1
    assert capsys.readouterr().err == f"polyrank: model must be the directory of a run or a bundle, got {url!r}\n"


@pytest.mark.usefixtures("place")
def test_model_is_looked_at_before_the_server_is_asked(capsys: Capture) -> None:
    assert evaluate("nowhere", "few.parquet", "--url", "localhost:1", "--timeout-s", "0.1") == 1
    assert capsys.readouterr().err.startswith("polyrank: model must be the directory of a run (polyrank train) or a ")


DAMAGED = {"no JSON": "{", "a list": "[1]", "no counts": "{}", "counts that are none": '{"train_rows": null}'}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_run_is_told_by_its_file(toy_run: Path, place: Path, capsys: Capture, case: str) -> None:
    run = shutil.copytree(toy_run, place / "run")
    (run / "metrics.json").write_text(DAMAGED[case])
    assert evaluate(toy_run, "rows.parquet", "--validation-of", "run") == 1
    assert capsys.readouterr().err == ("polyrank: --validation-of run: metrics.json cannot be read; train it anew\n")


@pytest.mark.usefixtures("place")
def test_weight_that_is_none_is_wrong_usage(toy_run: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        evaluate(toy_run, "few.parquet", "--weight", "click")
    assert caught.value.code == 2
    assert "--weight must be TASK=NUMBER, as in click=0.5, got 'click'" in capsys.readouterr().err
