"""`polyrank evaluate` refuses in one line that names what was typed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.evaluate_verb import LEAST, Capture, evaluate, found_json, write_rows
from artefacts.scripted_http import ScriptedHttp
from toy import toy_table


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that one is in."""
    monkeypatch.chdir(tmp_path)
    return write_rows(tmp_path)


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
def test_weight_that_is_none_is_refused(toy_run: Path, capsys: Capture) -> None:
    assert evaluate(toy_run, "few.parquet", "--weight", "click") == 1
    assert capsys.readouterr().err == "polyrank: --weight must be TASK=NUMBER, as in click=0.5, got 'click'\n"
