"""`polyrank rank`: what is wrong with its words is told in one line that names them."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.fake_triton import SIGNATURE
from artefacts.scripted_http import Answer, ScriptedHttp, http

from polyrank.__main__ import main
from polyrank.schema import Schema
from polyrank.signature import slots_of

SCHEMA = Schema.from_toml("""
name = "fake"
features = [
  { name = "user", side = "user", kind = "categorical", dtype = "int64", num_buckets = 9 },
  { name = "item", side = "item", kind = "categorical", dtype = "int64", num_buckets = 9 },
]
tasks = [{ name = "click", kind = "binary", label = "is_click" }]
""")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    signature = msgspec.structs.replace(SIGNATURE, schema=SCHEMA, slots=slots_of(SCHEMA)).to_json()
    with ScriptedHttp(signature=signature).listening() as address:
        yield address


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that one is in, with items, and a file without any beside them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items").mkdir()
    pq.write_table(pa.table({"item": [1, 2], "sku": ["a", "b"]}), "items/1.parquet")
    pq.write_table(pa.table({"item": [3], "sku": ["c"]}), "items/2.parquet")
    pq.write_table(pa.table({"item": pa.array([], pa.int64())}), "none.parquet")
    (tmp_path / "46").write_text('{"user": 46}')
    return tmp_path


@pytest.mark.parametrize("user", ['{"user": null}', "46"])
@pytest.mark.usefixtures("inbox")
def test_items_of_a_directory_are_ranked(url: str, capsys: pytest.CaptureFixture[str], user: str) -> None:
    command = ["rank", url, "--user", user, "--items", "items", "--key", "sku", "--exclude", "b", "--json"]
    assert main(command) == 0
    assert [json.loads(line)["sku"] for line in capsys.readouterr().out.splitlines()] == ["a", "c"]


NO_OBJECT = "must hold a JSON object of features, got"
WRONG = {
    "a list for a user": (["--user", "[]"], f"--user {NO_OBJECT} list; give one, as in "),
    "null for a user": (["--user", "null"], f"--user {NO_OBJECT} null; give one, as in "),
    "nothing for a user": (["--user", ""], f"--user {NO_OBJECT} nothing; give one, as in "),
    "no file": (["--user", "user.json"], "--user user.json cannot be read: no such file or directory; give a JSON"),
    "deep JSON": (["--user", '{"user": ' + 100_000 * "["], "--user is not JSON: "),
    "a feature less": (["--user", "{}"], "the user lacks 'user', a feature of model 'fake'; null stands for a missing"),
    "a task twice": (["--weight", "click=1", "--weight", "click=2"], "--weight names task 'click' twice; name it once"),
    "an unknown task": (["--weight", "clicks=1"], "--weight names 'clicks', which is no task of model 'fake'"),
    "weights of 0": (["--weight", "click=0"], "--weight must hold a number other than 0"),
    "a weight that is no number": (
        ["--weight", "click=nan"],
        "--weight['click'] must be a number from -1e+30 to 1e+30, got nan",
    ),
    "a huge weight": (["--weight", "click=1e99"], "--weight['click'] must be a number from -1e+30 to 1e+30, got 1e+99"),
    "no items asked for": (["--top-k", "0"], "--top-k must be 1 or above, got 0"),
    "no time": (["--timeout-s", "0"], "--timeout-s must be above 0"),
    "exclusions without a key": (
        ["--exclude", "a"],
        "--exclude needs the key of items; name its column with --key COL",
    ),
    "an unknown key": (["--key", "skus"], "items/1.parquet: column 'skus' is missing; did you mean 'sku'?"),
    "no row": (["--items", "none.parquet"], "none.parquet holds no row"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.usefixtures("inbox")
def test_wrong_options_are_one_line(url: str, capsys: pytest.CaptureFixture[str], case: str) -> None:
    options, message = WRONG[case]
    assert main(["rank", url, "--user", '{"user": 1}', "--items", "items", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1


def test_file_without_columns_of_items_is_told(url: str, inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"click": [0.5, 0.5]}), inbox / "items" / "3.parquet")
    assert main(["rank", url, "--user", '{"user": 1}', "--items", "items"]) == 1
    assert capsys.readouterr().err == ("polyrank: items/3.parquet: column 'item' is missing (the file has: click)\n")


@pytest.mark.usefixtures("inbox")
def test_several_models_are_told_with_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    server = ScriptedHttp()
    index = [{"name": name, "state": "READY"} for name in ("one", "two")]
    server.answers["/v2/repository/index"] = Answer([http(json.dumps(index).encode())])
    with server.listening() as url:
        assert main(["rank", url, "--user", '{"user": 1}', "--items", "items"]) == 1
    assert capsys.readouterr().err.endswith("serves 2 models (one, two); name one with --name\n")
