"""Verbs and `fit` take rows at a URL, and find out when they change there."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.errors import DataError
from polyrank.files import scan
from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit

QUICK = TrainConfig(epochs=1, batch_size=128)


@pytest.fixture
def url() -> Iterator[str]:
    """Give the URL of two files of rows, which lie in a store in memory."""
    place = f"memory://{secrets.token_hex(6)}/logs"
    rows = toy_table(1_000)
    write(f"{place}/a.parquet", rows.slice(0, 600))
    write(f"{place}/b.parquet", rows.slice(600))
    yield place
    MemoryFileSystem.store.clear()


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    return tmp_path / "schema.toml"


def write(url: str, rows: pa.Table) -> None:
    with fsspec.open(url, "wb") as file:
        pq.write_table(rows, file)


def trained(url: str, out: Path, cached: Path) -> bytes:
    run = fit(Schema.from_toml(TOY_TOML), url, out=out, config=QUICK, cache=cached, progress=False)
    return (run.path / "weights.safetensors").read_bytes()


def test_run_of_a_url_is_that_of_the_same_files_here(url: str, tmp_path: Path) -> None:
    for name, rows in (("a", toy_table(1_000).slice(0, 600)), ("b", toy_table(1_000).slice(600))):
        (tmp_path / "logs").mkdir(exist_ok=True)
        pq.write_table(rows, tmp_path / "logs" / f"{name}.parquet")
    there = trained(f"{url}/*.parquet", tmp_path / "there", tmp_path / "cache")
    assert there == trained(str(tmp_path / "logs"), tmp_path / "here", tmp_path / "cache")


def test_rows_of_a_url_are_encoded_once(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(url, tmp_path / "first", tmp_path / "cache")
    monkeypatch.delattr(MemoryFileSystem, "cat_file")
    assert trained(url, tmp_path / "second", tmp_path / "cache") == first


def test_rows_that_changed_at_a_url_are_encoded_anew(url: str, tmp_path: Path) -> None:
    first = trained(url, tmp_path / "first", tmp_path / "cache")
    write(f"{url}/b.parquet", toy_table(400, seed=9))
    assert trained(url, tmp_path / "second", tmp_path / "cache") != first


def test_rows_that_change_while_they_are_read_are_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def changing(*arguments: object) -> Iterator[object]:
        yield from scan(*arguments)  # type: ignore[arg-type]
        write(f"{url}/b.parquet", toy_table(400, seed=9))

    monkeypatch.setattr("polyrank.train.encoded.cache.scan", changing)
    with pytest.raises(DataError, match=r"/logs changed while it was read; train when its writer is done$"):
        trained(url, tmp_path / "run", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_connection_that_is_cut_leaves_nothing(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object, **__: object) -> bytes:
        raise ConnectionError("reset by peer")

    monkeypatch.setattr("polyrank.files.remote.PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(MemoryFileSystem, "cat_file", cut)
    with pytest.raises(
        DataError, match=r"a\.parquet cannot be read: reset by peer; check the address and the network$"
    ):
        trained(url, tmp_path / "run", tmp_path / "cache")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cache"]


def test_verbs_take_rows_at_a_url(
    url: str, schema: Path, toy_run: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", url, "--schema", str(schema), "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["train_rows"] + plan["validation_rows"] == 1_000
    assert (
        main(["schema", "infer", f"{url}/*.parquet", "--label", "is_click", "--out", str(tmp_path / "new.toml")]) == 0
    )
    assert main(["schema", "check", str(schema), url]) == 0
    assert main(["drift", url, url, "--schema", str(schema)]) == 0
    assert main(["evaluate", str(toy_run), url, "--out", str(tmp_path / "evaluation.json")]) == 0
    assert main(["fingerprint", f"{url}/a.parquet", "--schema", str(schema), "--out", str(tmp_path / "f.parquet")]) == 0
    assert len(pq.read_table(tmp_path / "f.parquet")) == 600
    assert main(["score", str(toy_bundle), url, "--out", str(tmp_path / "scored.parquet")]) == 0
    assert len(pq.read_table(tmp_path / "scored.parquet")) == 1_000


def test_url_that_is_not_there_is_one_line(
    url: str, schema: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", f"{url}/c.parquet", "--schema", str(schema), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("polyrank: ")]
    assert line.startswith(f"polyrank: {url}/c.parquet does not exist; give the URL of a file, of a directory")
    assert not (tmp_path / "run").exists()
