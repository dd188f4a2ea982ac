"""`polyrank verify` and `polyrank rank` against the real Triton."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from artefacts.runs import make_run
from toy import toy_table

from polyrank.__main__ import main
from polyrank.encoder import Encoder
from polyrank.export import ServingOptions, export_onnx, publish
from polyrank.schema import Schema
from polyrank.serving import Server, serve

pytestmark = pytest.mark.triton

USER = ("user_id", "history", "device", "age")


@pytest.fixture(scope="module")
def folder(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of both graphs, and the repository it is published in."""
    folder = tmp_path_factory.mktemp("verify")
    publish(
        export_onnx(toy_run, out=folder / "bundle"),
        folder / "models",
        name="toy",
        options=ServingOptions(warm_up=(1,), max_batch_size=16),
    )
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serve(folder / "models") as running:
        yield running


@pytest.mark.parametrize("what", ["bundle", "models", "models/toy", "models/toy/1"])
def test_served_model_is_verified_from_every_place(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    assert main(["verify", server.url, str(folder / what), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    names = {"models/toy": ["toy"], "models/toy/1": ["toy"]}.get(what, ["toy", "toy_rank"])
    assert [check["model"] for check in checks] == names
    assert all(check["is_well"] and check["version"] == 1 for check in checks)
    assert max(checks[0]["differences"].values()) < 1e-5
    assert 0 < checks[0]["p50_ms"] <= checks[0]["p99_ms"]


def test_difference_above_the_tolerance_exits_with_one(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", server.grpc_url, str(folder / "bundle"), "--tolerance", "1e-12"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("toy version 1 of run ")
    assert " 1e-12  differs\n" in out


@pytest.mark.slow
def test_bundle_of_another_run_is_told(
    server: Server, toy_schema: Schema, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = toy_table(50)
    make_run(tmp_path / "run", toy_schema, seed=9, sample=Encoder(toy_schema).encode(rows))
    export_onnx(tmp_path / "run", out=tmp_path / "bundle")
    assert main(["verify", server.grpc_url, str(tmp_path / "bundle")]) == 1
    assert " is of run " in (message := capsys.readouterr().err)
    assert message.endswith("; name the bundle that was published\n")


@pytest.mark.parametrize(
    ("what", "options", "message"),
    [
        ("none", [], "/none holds no bundle and no published model; make one with: polyrank export\n"),
        ("models", ["--name", "other"], "/models holds no bundle and no published model named 'other'; make one"),
        ("bundle", ["--name", "other"], "other at 127.0.0.1:"),
    ],
)
def test_what_cannot_be_verified_is_one_line(
    server: Server,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
    options: list[str],
    message: str,
) -> None:
    assert main(["verify", server.url.removeprefix("http://"), str(folder / what), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder with a user and items."""
    row = toy_table(1, 3).select(USER).to_pylist()[0]
    (tmp_path / "user.json").write_text(json.dumps(row))
    (tmp_path / "list.json").write_text("[1]")
    pq.write_table(toy_table(40, 9).drop_columns([*USER]), tmp_path / "items.parquet")
    return tmp_path


def test_verb_ranks_items_for_a_user(server: Server, inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["rank", server.grpc_url, "--user", str(inbox / "user.json"), "--items", str(inbox / "items.parquet")]
    options = ["--key", "item_id", "--top-k", "3", "--weight", "click=1", "--weight", "rating=0.5", "--name", "toy"]
    assert main([*command, *options]) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert head == "toy version 1, 40 items"
    assert lines[0].split() == ["item", "item_id", "score", "click", "like", "rating", "watch_s"]
    assert len(lines) == 4
    assert main([*command, *options, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows == sorted(rows, key=lambda row: -row["score"])
    assert rows[0]["score"] == pytest.approx(rows[0]["click"] + 0.5 * rows[0]["rating"], rel=1e-5)
    best = str(rows[0]["item_id"])
    assert main([*command, *options, "--json", "--exclude", best]) == 0
    assert best not in [str(json.loads(line)["item_id"]) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--user", "none.json"], "--user none.json cannot be read: no such file or directory; give a JSON object"),
        (["--user", "{"], "--user is not JSON: "),
        (["--user", "list.json"], "list.json must hold a JSON object of features, got list"),
        (["--user", "{}"], "the user lacks 'user_id', a feature of model "),
        (["--weight", "clicks=1"], "--weight names 'clicks', which is no task of model "),
        (["--key", "sku"], "items.parquet: column 'sku' is missing"),
        (["--key", "item_id", "--exclude", "x"], "--exclude must be keys of type int64, got 'x'"),
        (["--items", "none.parquet"], "none.parquet does not exist"),
        (["--top-k", "0"], "--top-k must be 1 or above, got 0"),
    ],
)
def test_verb_says_what_is_wrong_in_one_line(
    server: Server,
    inbox: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(inbox)
    assert main(["rank", server.grpc_url, "--user", "user.json", "--items", "items.parquet", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("word", ["click", "click=much", "=1"])
def test_weight_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main(["rank", "localhost:1", "--user", "{}", "--items", "items.parquet", "--weight", word]) == 1
    error = capsys.readouterr().err
    assert error == f"polyrank: --weight must be TASK=NUMBER, as in click=0.5, got {word!r}\n"


def test_copied_repository_verifies_too(server: Server, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder / "models", tmp_path / "models")
    assert main(["verify", server.grpc_url, str(copy), "--name", "toy_rank"]) == 0


def test_model_that_is_not_served_leaves_the_others(
    server: Server, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folder / "models", tmp_path / "models")
    shutil.copytree(copy / "toy", copy / "away")
    assert main(["verify", server.url, str(copy)]) == 1
    found = capsys.readouterr()
    assert [line.split()[0] for line in found.out.splitlines() if " version 1 of run " in line] == ["toy", "toy_rank"]
    assert found.err.startswith("polyrank: away at 127.0.0.1:")
    assert found.err.count("\n") == 1
