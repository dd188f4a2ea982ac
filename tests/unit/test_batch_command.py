"""`polyrank fingerprint`: what it writes and prints, and with which exit status."""

import gzip
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reference.fingerprint_v1 import cross
from reference.fingerprint_v1 import fingerprint as expected
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.errors import DataError
from polyrank.fingerprint import fingerprint
from polyrank.train.sources import read_rows

Capture = pytest.CaptureFixture[str]
ROWS = pa.table(
    {
        "user_id": pa.array([46, None, 2**63 - 1, -(2**63)], pa.int64()),
        "city": ["Paris", "", None, "北京"],
        "tags": pa.array([["a", None], [], None, ["b"]], pa.list_(pa.string())),
        "score": [0.5, 1.5, 2.5, 3.5],
    }
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pq.write_table(ROWS, "rows.parquet")
    return tmp_path


def run(*arguments: str, rows: str = "rows.parquet", out: str = "out.parquet") -> int:
    return main(["--quiet", "fingerprint", rows, "--out", out, *arguments])


def hashed(values: Sequence[object], dtype: str, missing: Sequence[str] = ()) -> list[int]:
    return [expected(value, dtype, missing=missing) for value in values]


@pytest.mark.usefixtures("place")
def test_columns_of_fingerprints_are_added() -> None:
    assert run("--column", "user_id:int64", "--column", "city:text", "--bag", "tags:text") == 0
    table = pq.read_table("out.parquet")
    assert table.select(ROWS.column_names) == ROWS
    added = table.drop_columns(ROWS.column_names)
    assert added.schema == pa.schema(
        {"user_id_fingerprint": pa.int64(), "city_fingerprint": pa.int64(), "tags_fingerprint": pa.list_(pa.int64())}
    )
    assert added.to_pydict() == {
        "user_id_fingerprint": hashed(ROWS["user_id"].to_pylist(), "int64"),
        "city_fingerprint": hashed(ROWS["city"].to_pylist(), "text"),
        "tags_fingerprint": [hashed(["a", None], "text"), [], None, hashed(["b"], "text")],
    }


@pytest.mark.usefixtures("place")
def test_cross_chains_columns_in_order() -> None:
    assert run("--column", "user_id:int64", "--column", "city:text", "--cross", "city,user_id") == 0
    pairs = zip(ROWS["city"].to_pylist(), ROWS["user_id"].to_pylist(), strict=True)
    chained = [cross([(city, "text"), (user, "int64")]) for city, user in pairs]
    assert pq.read_table("out.parquet")["city_x_user_id_fingerprint"].to_pylist() == chained


def test_schema_says_what_is_hashed_and_missing(place: Path) -> None:
    table = toy_table(500)
    pq.write_table(table, place / "rows.parquet")
    (place / "schema.toml").write_text(TOY_TOML)
    assert run("--schema", "schema.toml") == 0
    out = pq.read_table("out.parquet")
    assert out.column_names == [
        *table.column_names,
        *(f"{name}_fingerprint" for name in ("user_id", "item_id", "history", "tags", "device")),
    ]
    assert out["device_fingerprint"].to_pylist() == hashed(table["device"].to_pylist(), "text", ["", "unknown"])
    assert out["history_fingerprint"].to_pylist() == [
        None if ids is None else hashed(ids, "int64") for ids in table["history"].to_pylist()
    ]


def test_csv_is_hashed_as_parquet_is(place: Path) -> None:
    (place / "rows.csv").write_text('user_id,city,note\n46,007,1\n,"",2\nNA,NA,3\n007,"a ""b""",4\n', newline="")
    assert run("--column", "user_id:int64", "--column", "city:text", rows="rows.csv") == 0
    assert pq.read_table("out.parquet").to_pydict() == {
        "user_id": ["46", "", "NA", "007"],
        "city": ["007", "", "NA", 'a "b"'],
        "note": [1, 2, 3, 4],
        "user_id_fingerprint": hashed([46, None, None, 7], "int64"),
        "city_fingerprint": hashed(["007", None, "NA", 'a "b"'], "text"),
    }


def test_csv_ids_that_pandas_made_floats_are_the_ids(place: Path) -> None:
    (place / "rows.csv").write_text("user_id\n46.0\n\nnan\n7\n")
    assert run("--column", "user_id:int64", rows="rows.csv") == 0
    assert pq.read_table("out.parquet")["user_id_fingerprint"].to_pylist() == hashed([46, None, 7], "int64")


def test_integers_of_csv_are_exact_whatever_stands_beside_them(place: Path) -> None:
    ids = ["9007199254740993", "9007199254740992", "9223372036854775807", "-3.00", "46.0", "9007199254740993.0", "-0"]
    (place / "rows.csv").write_text("user_id\n" + "\n".join(ids) + "\n")
    assert run("--column", "user_id:int64", rows="rows.csv") == 0
    exact = [2**53 + 1, 2**53, 2**63 - 1, -3, 46, 2**53 + 1, 0]
    assert pq.read_table("out.parquet")["user_id_fingerprint"].to_pylist() == hashed(exact, "int64")
    assert read_rows("rows.csv", integers=["user_id"]).to_pydict() == {"user_id": exact}


@pytest.mark.parametrize("value", ["+46", "1e3", "46.", ".0", "46.5", "9223372036854775808.0", "true", " 46"])
@pytest.mark.parametrize("beside", ["7", "46.0"])
def test_what_is_no_integer_in_csv_is_named_with_its_row(place: Path, capsys: Capture, beside: str, value: str) -> None:
    (place / "rows.csv").write_text(f"user_id\n{beside}\n{value}\n{beside}\n")
    assert run("--column", "user_id:int64", rows="rows.csv") == 1
    shown = value.removesuffix(".0") or value
    refused = f"column 'user_id' holds {shown!r} at row 2; "
    assert capsys.readouterr().err.startswith(f"polyrank: rows.csv: {refused}")
    rows = read_rows("rows.csv", integers=["user_id"])
    with pytest.raises(DataError, match=f"^{re.escape(refused)}"):
        fingerprint(rows["user_id"], dtype="int64", column="user_id")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("rows", ["rows.csv.gz", "ROWS.CSV.GZ", "rows.CSV"])
def test_csv_is_read_compressed_and_in_capitals(place: Path, rows: str, encoding: str) -> None:
    text = "user_id\n46\n".encode(encoding)
    (place / rows).write_bytes(gzip.compress(text) if rows.lower().endswith(".gz") else text)
    assert run("--column", "user_id:int64", "--encoding", encoding, rows=rows) == 0
    assert pq.read_table("out.parquet")["user_id_fingerprint"].to_pylist() == hashed([46], "int64")


EMPTY: dict[str, Callable[[], object]] = {
    "rows.parquet": lambda: pq.write_table(ROWS[:0], "rows.parquet"),
    "rows.csv": lambda: Path("rows.csv").write_text("user_id,city\n"),
    "header.csv": lambda: Path("header.csv").write_text("user_id,city"),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("rows", EMPTY)
def test_file_without_rows_gives_columns_without_rows(capsys: Capture, rows: str) -> None:
    EMPTY[rows]()
    assert run("--column", "user_id:int64", rows=rows) == 0
    assert pq.read_table("out.parquet")["user_id_fingerprint"].to_pylist() == []
    assert capsys.readouterr().out == "out.parquet: 0 rows, 1 column of fingerprints\n"


@pytest.mark.usefixtures("place")
def test_batches_are_one_file() -> None:
    users = pa.table({"user_id": pa.array(range(300_000), pa.int64())})
    pq.write_table(users, "rows.parquet", row_group_size=100_000)
    assert run("--column", "user_id:int64") == 0
    out = pq.read_table("out.parquet")
    assert out["user_id"] == users["user_id"]
    assert out["user_id_fingerprint"][-1].as_py() == expected(299_999, "int64")


@pytest.mark.usefixtures("place")
def test_summary_as_json_counts_missing(capsys: Capture) -> None:
    assert run("--column", "user_id:int64", "--bag", "tags:text", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "out": "out.parquet",
        "rows": 4,
        "missing": {"user_id_fingerprint": 1, "tags_fingerprint": 1},
        "hash": {"name": "xxh64", "version": 1, "seed": 42},
    }


@pytest.mark.usefixtures("place")
def test_cross_takes_names_with_commas_and_quotes() -> None:
    pq.write_table(pa.table({"a,b": ["x"], 'c"d': ["y"]}), "rows.parquet")
    assert run("--column", "a,b:text", "--column", 'c"d:text', "--cross", '"a,b",c"d') == 0
    (row,) = pq.read_table("out.parquet").to_pylist()
    assert row['a,b_x_c"d_fingerprint'] == cross([("x", "text"), ("y", "text")])


@pytest.mark.usefixtures("place")
def test_existing_output_is_replaced() -> None:
    assert run("--column", "user_id:int64") == 0
    assert run("--column", "city:text") == 0
    assert pq.read_schema("out.parquet").names[-1] == "city_fingerprint"


@pytest.mark.parametrize("out", ["rows.parquet", "./rows.parquet", "symbolic.parquet", "hard.parquet"])
def test_output_that_is_the_input_is_refused(place: Path, capsys: Capture, out: str) -> None:
    (place / "symbolic.parquet").symlink_to("rows.parquet")
    (place / "hard.parquet").hardlink_to("rows.parquet")
    assert run("--column", "user_id:int64", out=out) == 1
    message = f"cannot write {Path(out)}: it is the file to hash; choose another output file"
    assert capsys.readouterr().err == f"polyrank: {message}\n"
    assert pq.read_table("rows.parquet") == ROWS


@pytest.mark.usefixtures("place")
def test_output_through_a_link_keeps_the_link() -> None:
    Path("folder").mkdir()
    Path("out.parquet").symlink_to("folder/real.parquet")
    assert run("--column", "user_id:int64") == 0
    assert Path("out.parquet").is_symlink()
    assert pq.read_table("folder/real.parquet").num_rows == 4


@pytest.mark.parametrize("verb", ["fingerprint", "train"])
def test_help_names_the_kinds_of_files(capsys: Capture, verb: str) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert ".parquet, .csv, .csv.gz, .jsonl" in " ".join(capsys.readouterr().out.split())


WRITTEN_TOML = """
name = "toy"
tasks = [{ name = "click", kind = "binary", label = "is_click" }]

[[features]]
name = "genres"
kind = "bag"
dtype = "int64"
separator = "|"
num_buckets = 9
max_length = 1

[[features]]
name = "mix"
kind = "bag"
dtype = "text"
separator = ","
weight_separator = ":"
num_buckets = 9
max_length = 1
"""
WRITTEN = {"genres": ["7|8", "9", "", None], "mix": ["a:0.5,b:c:1", "", None, "d:2"]}
MIX = [hashed(["a", "b:c"], "text"), [], None, hashed(["d"], "text")]


def test_bags_written_as_text_are_hashed_as_lists(place: Path) -> None:
    (place / "schema.toml").write_text(WRITTEN_TOML)
    pq.write_table(pa.table(WRITTEN), "rows.parquet")
    assert run("--schema", "schema.toml") == 0
    table = pq.read_table("out.parquet")
    assert table["genres_fingerprint"].to_pylist() == [hashed([7, 8], "int64"), hashed([9], "int64"), [], None]
    assert table["mix_fingerprint"].to_pylist() == MIX


def test_bags_written_in_csv_are_hashed_as_lists(place: Path) -> None:
    (place / "schema.toml").write_text(WRITTEN_TOML)
    (place / "rows.csv").write_text('genres,mix\n7|8,"a:0.5,b:c:1"\n9,d:2\n')
    assert run("--schema", "schema.toml", rows="rows.csv") == 0
    table = pq.read_table("out.parquet")
    assert table["genres_fingerprint"].to_pylist() == [hashed([7, 8], "int64"), hashed([9], "int64")]
    assert table["mix_fingerprint"].to_pylist() == [MIX[0], MIX[3]]


def test_weight_that_is_none_is_named_by_row_of_the_file(place: Path, capsys: Capture) -> None:
    (place / "schema.toml").write_text(WRITTEN_TOML)
    count = 200_000
    pq.write_table(pa.table({"genres": ["7"] * count, "mix": ["a:1"] * (count - 1) + ["a"]}), "rows.parquet")
    assert run("--schema", "schema.toml") == 1
    assert "rows.parquet: column 'mix' holds 'a' at row 200,000; a value, ':' and a finite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dialect", "refused"),
    [("spark", "'mix', which is text with weights"), ("clickhouse", "'genres', which is text with a separator")],
)
def test_sql_of_bags_that_no_sql_cuts_is_refused(place: Path, capsys: Capture, dialect: str, refused: str) -> None:
    (place / "schema.toml").write_text(WRITTEN_TOML)
    assert main(["fingerprint", "--schema", "schema.toml", "--sql", dialect]) == 1
    assert f"--sql takes bags that are lists, got {refused}; " in capsys.readouterr().err
