"""`polyrank fingerprint` over JSON Lines, Arrow files and text in other encodings."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from reference.fingerprint_v1 import fingerprint as expected

from polyrank.__main__ import main

Capture = pytest.CaptureFixture[str]
COLUMNS = ("--column", "user:int64", "--column", "city:text", "--bag", "tags:text")
ROWS = pa.table(
    {
        "user": pa.array([46, None, 2**63 - 1]),
        "city": ["Köln", "", None],
        "tags": [["a", None], None, []],
        "score": [0.5, None, 2.5],
    }
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(rows: str, *arguments: str) -> int:
    return main(["--quiet", "fingerprint", rows, "--out", "out.parquet", *arguments])


def hashed(values: Sequence[object], dtype: str) -> list[int]:
    return [expected(value, dtype) for value in values]


def lines(rows: Sequence[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def stream(path: str) -> None:
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, ROWS.schema) as writer:
        writer.write_table(ROWS, max_chunksize=2)


WRITERS: dict[str, Callable[[str], Any]] = {
    "a.jsonl": lambda path: Path(path).write_bytes(lines(ROWS.to_pylist())),
    "a.ndjson.gz": lambda path: Path(path).write_bytes(gzip.compress(lines(ROWS.to_pylist()))),
    "a.arrow": stream,
    "a.feather": lambda path: pa.feather.write_feather(ROWS, path, chunksize=2),
    "a.ipc": lambda path: pa.feather.write_feather(ROWS, path, compression="uncompressed"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_hashed_as_parquet_is(name: str) -> None:
    WRITERS[name](name)
    assert run(name, *COLUMNS) == 0
    out = pq.read_table("out.parquet")
    assert out.select(ROWS.column_names).to_pydict() == ROWS.to_pydict()
    assert out.drop_columns(ROWS.column_names).to_pydict() == {
        "user_fingerprint": hashed([46, None, 2**63 - 1], "int64"),
        "city_fingerprint": hashed(["Köln", "", None], "text"),
        "tags_fingerprint": [hashed(["a", None], "text"), None, []],
    }


def test_text_in_a_declared_encoding_is_hashed(place: Path, capsys: Capture) -> None:
    (place / "rows.csv").write_bytes("city\nKöln\n".encode("latin-1"))
    assert run("rows.csv", "--column", "city:text") == 1
    assert "rows.csv cannot be read as CSV: line 2 is not UTF-8 text; declare its encoding" in capsys.readouterr().err
    assert run("rows.csv", "--column", "city:text", "--encoding", "latin-1") == 0
    assert pq.read_table("out.parquet")["city_fingerprint"].to_pylist() == hashed(["Köln"], "text")


def test_keys_that_appear_late_are_kept(place: Path) -> None:
    early = lines([{"user": 1, "noise": "x" * 90}]) * 100_000
    (place / "rows.jsonl").write_bytes(early + lines([{"user": "7", "late": "x"}, {"user": 8.0}]))
    assert run("rows.jsonl", "--column", "user:int64", "--column", "late:text") == 0
    out = pq.read_table("out.parquet").slice(99_999)
    assert out["user_fingerprint"].to_pylist() == hashed([1, 7, 8], "int64")
    assert out["late_fingerprint"].to_pylist() == hashed([None, "x", None], "text")


def test_large_integers_beside_floats_keep_their_digits(place: Path) -> None:
    early = lines([{"user": 9_007_199_254_740_993, "noise": "x" * 90}]) * 60_000
    (place / "rows.jsonl").write_bytes(early + lines([{"user": 8.0}]))
    assert run("rows.jsonl", "--column", "user:int64") == 0
    out = pq.read_table("out.parquet").slice(59_999)
    assert out["user_fingerprint"].to_pylist() == hashed([9_007_199_254_740_993, 8], "int64")


REFUSALS: dict[str, tuple[str, Callable[[], object], str]] = {
    "broken JSON": (
        "rows.jsonl",
        lambda: Path("rows.jsonl").write_bytes(lines([{"user": 1}]) * 9 + b'{"user"\n'),
        "rows.jsonl cannot be read as JSON Lines: line 10 is no JSON: expecting ':' delimiter at character",
    ),
    "a fraction beside text": (
        "rows.jsonl",
        lambda: Path("rows.jsonl").write_bytes(lines([{"user": "a"}, {"user": 1.5}])),
        "rows.jsonl: column 'user' holds 1.5 at row 2; whole numbers expected",
    ),
    "absent key": (
        "rows.jsonl",
        lambda: Path("rows.jsonl").write_bytes(lines([{"users": 1}])),
        "rows.jsonl: column 'user' is missing; did you mean 'users'?",
    ),
    "a type that Parquet has not": (
        "rows.jsonl",
        lambda: Path("rows.jsonl").write_bytes(lines([{"user": 1, "extra": {}}])),
        "rows.jsonl: Parquet does not hold what a column holds: ",
    ),
    "large integer beside fractions": (
        "rows.jsonl",
        lambda: Path("rows.jsonl").write_bytes(
            lines([{"user": 1, "x": 2**60 + 1, "noise": "x" * 90}]) * 60_000 + lines([{"user": 1, "x": 0.5}])
        ),
        "rows.jsonl: column 'x' cannot be double in all rows: Integer value 1152921504606846977 is outside",
    ),
    "fraction in Arrow": (
        "rows.arrow",
        lambda: pa.feather.write_feather(pa.table({"user": [1.0, 2.0, 2.5]}), "rows.arrow", chunksize=2),
        "rows.arrow: column 'user' holds 2.5 at row 3; whole numbers expected",
    ),
    "no Arrow": (
        "rows.feather",
        lambda: Path("rows.feather").write_bytes(b"user\n1\n"),
        "rows.feather cannot be read as Arrow: ",
    ),
    "unknown encoding": ("rows.csv --encoding morse", lambda: None, "--encoding must be an encoding such as"),
}


@pytest.mark.parametrize(("rows", "prepare", "message"), REFUSALS.values(), ids=REFUSALS)
def test_wrong_rows_are_one_line(capsys: Capture, rows: str, prepare: Callable[[], object], message: str) -> None:
    prepare()
    assert run(*rows.split(), "--column", "user:int64") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert not Path("out.parquet").exists()
