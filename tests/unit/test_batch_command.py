"""`polyrank fingerprint`: what it writes and prints, and with which exit status."""

import gzip
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reference.fingerprint_v1 import cross
from reference.fingerprint_v1 import fingerprint as expected
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.commands.progress import RowProgress
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


def with_bad_value_in_a_late_batch() -> None:
    values: list[Any] = ["1"] * 200_000
    values[150_000] = "x1"
    pq.write_table(pa.table({"user_id": values}), "rows.parquet")


def with_bad_value_in_a_late_bag() -> None:
    lists: list[Any] = [["1", "2"]] * 200_000
    lists[150_000] = ["3", "4", "x1"]
    pq.write_table(pa.table({"user_id": lists}), "rows.parquet")


def csv(text: str | bytes) -> Callable[[], object]:
    return lambda: Path("rows.csv").write_bytes(text.encode() if isinstance(text, str) else text)


USER = ("--column", "user_id:int64")
WRONG: dict[str, tuple[Callable[[], object], str, Sequence[str], str]] = {
    "no file": (
        lambda: None,
        "absent.parquet",
        USER,
        "absent.parquet does not exist; give a file that ends in .parquet, .csv",
    ),
    "directory": (lambda: Path("d").mkdir(), "d", USER, "d is a directory; give one file"),
    "directory named as a file": (
        lambda: Path("d.csv").mkdir(),
        "d.csv",
        USER,
        "d.csv is a directory; give one file",
    ),
    "pipe": (lambda: os.mkfifo("p.csv"), "p.csv", USER, "p.csv is no file; give a file that ends in .parquet"),
    "other kind": (
        lambda: Path("rows.txt").touch(),
        "rows.txt",
        USER,
        "rows.txt must end in .parquet, .csv, .csv.gz",
    ),
    "corrupt Parquet": (
        lambda: Path("rows.parquet").write_bytes(b"PAR1 not"),
        "rows.parquet",
        USER,
        "rows.parquet cannot be read as Parquet: ",
    ),
    "Parquet named CSV": (
        lambda: pq.write_table(ROWS, "p.csv"),
        "p.csv",
        USER,
        "p.csv is Parquet, by its first bytes; let its name end in .parquet",
    ),
    "gzip named CSV": (
        csv(gzip.compress(b"user_id\n1\n")),
        "rows.csv",
        USER,
        "rows.csv is compressed with gzip, by its first bytes; let its name end in .gz, too",
    ),
    "UTF-16": (
        csv("user_id\n1\n".encode("utf-16")),
        "rows.csv",
        USER,
        "rows.csv is UTF-16 text; declare it, as in --encoding utf-16, or convert it",
    ),
    "CSV column whose type changes late": (
        csv("user_id,b\n" + "1,2\n" * 900_000 + "1,x\n"),
        "rows.csv",
        USER,
        "rows.csv cannot be read as CSV: column 'b' holds 'x' at row 900,001, and the rows before it gave int64; make",
    ),
    "missing among many columns": (
        csv(",".join(["a\tb", *map(str, range(1_999))]) + "\n"),
        "rows.csv",
        USER,
        r"rows.csv: column 'user_id' is missing (the file has: a\tb, 0, 1, 2, 3, 4, 5, 6, 7, 8 and 1,990 more)",
    ),
    "bag of lists of lists": (
        lambda: pq.write_table(pa.table({"user_id": [[["a"]]]}), "rows.parquet"),
        "rows.parquet",
        ("--bag", "user_id:text"),
        "rows.parquet: column 'user_id' holds lists of lists; a bag takes lists of values: flatten each row",
    ),
    "empty CSV": (csv(""), "rows.csv", USER, "rows.csv cannot be read as CSV: Empty CSV file"),
    "ragged CSV": (
        csv("user_id,b\n1,2\n3\n"),
        "rows.csv",
        USER,
        "rows.csv cannot be read as CSV: row 2 has 1 value where the header has 2: '3'",
    ),
    "CSV that is ragged late": (
        csv("user_id,b\n" + "1,2\n" * 700_000 + "3\n"),
        "rows.csv",
        USER,
        "rows.csv cannot be read as CSV: row 700,001 has 1 value where the header has 2: '3'",
    ),
    "CSV that is no UTF-8": (
        csv(b"user_id\n1\n\xff\n"),
        "rows.csv",
        USER,
        "rows.csv cannot be read as CSV: line 3 is not UTF-8 text; declare its encoding, as in --encoding latin-1",
    ),
    "CSV with a name that is no UTF-8": (
        csv(b"user_id,stra\xdfe\n1,2\n"),
        "rows.csv",
        USER,
        "rows.csv cannot be read as CSV: line 1 is not UTF-8 text; declare its encoding, as in --encoding latin-1",
    ),
    "CSV row beyond a block": (
        csv("user_id,b\n1," + "x" * 5_000_000 + "\n2,3\n"),
        "rows.csv",
        USER,
        "rows.csv cannot be read as CSV: a row is larger than the 1 MiB that is sure to be read; shorten it",
    ),
    "CSV with a quote that never closes": (
        csv('user_id,b\n1,"2\n3,4\n'),
        "rows.csv",
        USER,
        "rows.csv: the quote that opens in line 2 is never closed; close it, or ",
    ),
    "missing column": (
        lambda: None,
        "rows.parquet",
        ("--column", "userid:int64"),
        "rows.parquet: column 'userid' is missing; did you mean 'user_id'? (the file has: user_id, city, tags, score)",
    ),
    "column twice": (
        csv("user_id,user_id\n1,2\n"),
        "rows.csv",
        USER,
        "rows.csv: column 'user_id' is there more than once; columns must be unique",
    ),
    "name taken": (
        csv("user_id,user_id_fingerprint\n1,2\n"),
        "rows.csv",
        USER,
        "rows.csv: column 'user_id_fingerprint' is there already; rename it or leave it out",
    ),
    "value in a late batch": (
        with_bad_value_in_a_late_batch,
        "rows.parquet",
        USER,
        "rows.parquet: column 'user_id' holds 'x1' at row 150,001; dtype \"int64\" takes decimal integers",
    ),
    "value in a late bag": (
        with_bad_value_in_a_late_bag,
        "rows.parquet",
        ("--bag", "user_id:int64"),
        "rows.parquet: column 'user_id' holds 'x1' at row 150,001; dtype \"int64\" takes decimal integers",
    ),
    "value in a CSV": (
        csv("user_id\n1\nNA\n12.5\n"),
        "rows.csv",
        USER,
        "rows.csv: column 'user_id' holds '12.5' at row 3; dtype \"int64\" takes decimal integers",
    ),
    "list for a value": (
        lambda: None,
        "rows.parquet",
        ("--column", "tags:text"),
        "rows.parquet: column 'tags' holds ['a', None] at row 1; a categorical feature takes no list",
    ),
    "value for a list": (
        lambda: None,
        "rows.parquet",
        ("--bag", "city:text"),
        "rows.parquet: column 'city' holds string; a bag takes lists",
    ),
    "unknown dtype": (
        lambda: None,
        "rows.parquet",
        ("--column", "user_id:int32"),
        "a column must be NAME:text or NAME:int64, got 'user_id:int32'",
    ),
    "column given twice": (
        lambda: None,
        "rows.parquet",
        (*USER, *USER),
        "each column and cross must be given once, got 'user_id' twice",
    ),
    "cross of one": (
        lambda: None,
        "rows.parquet",
        (*USER, "--cross", "user_id"),
        "a cross must name at least two columns, as in user_id,city, got 'user_id'",
    ),
    "cross of strangers": (
        lambda: None,
        "rows.parquet",
        (*USER, "--cross", "user_id,userid"),
        "a cross takes hashed columns only, got 'userid'; did you mean 'user_id'?",
    ),
    "cross of a name with a comma": (
        csv('"a,b",city\n1,Paris\n'),
        "rows.csv",
        ("--column", "a,b:text", "--column", "city:text", "--cross", "a,b,city"),
        "a cross takes hashed columns only, got 'a'; write the name 'a,b' in double quotes, as in '\"a,b\",city'",
    ),
    "cross with a quote that never closes": (
        lambda: None,
        "rows.parquet",
        (*USER, "--cross", '"user_id,city'),
        "a cross must be names with commas between them, quoted as in '\"a,b\",city', got '\"user_id,city'",
    ),
    "cross of nothing": (
        lambda: None,
        "rows.parquet",
        (*USER, "--cross", ""),
        "a cross must name at least two columns, as in user_id,city, got ''",
    ),
    "cross with a bag": (
        lambda: None,
        "rows.parquet",
        (*USER, "--bag", "tags:text", "--cross", "user_id,tags"),
        "a cross takes single values, got the bag 'tags'",
    ),
    "schema that hashes nothing": (
        lambda: Path("s.toml").write_text(
            'name = "a"\nfeatures = [{ name = "x", kind = "numeric" }]\n'
            'tasks = [{ name = "t", kind = "binary", label = "y" }]\n'
        ),
        "rows.parquet",
        ("--schema", "s.toml"),
        "nothing to hash: the schema has no categorical or bag feature",
    ),
}


@pytest.mark.parametrize(("spoil", "rows", "arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_line_and_leaves_nothing(
    place: Path,
    capsys: Capture,
    spoil: Callable[[], object],
    rows: str,
    arguments: Sequence[str],
    message: str,
) -> None:
    spoil()
    before = sorted(path.name for path in place.iterdir())
    assert run(*arguments, rows=rows) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"polyrank: {message}")
    assert (output.err.count("\n"), output.out) == (1, "")
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("out", "message"),
    [
        (".", "cannot write .: it names no file"),
        ("folder", "cannot write folder: is a directory; choose another output file"),
        ("/dev/null", "cannot write /dev/null: not a regular file; choose another output file"),
        ("/dev/stdout", "cannot write /dev/stdout: it is a stream, and files are put in place whole; name a file"),
        ("/dev/fd/2", "cannot write /dev/fd/2: it is a stream, and files are put in place whole; name a file"),
        ("/proc/self/fd/1", "cannot write /proc/self/fd/1: it is a stream, and files are put in place whole; name a"),
        ("link", "cannot write link: it is a stream, and files are put in place whole; name a file"),
        ("-", "cannot write -: it is a stream, and files are put in place whole; name a file"),
        ("rows.parquet/out.parquet", "cannot write rows.parquet/out.parquet: not a directory; choose another"),
        ("/proc/out.parquet", "cannot write /proc/out.parquet: no such file or directory; choose another"),
        ("r" * 300, f"cannot write {'r' * 300}: file name too long; choose another"),
    ],
    ids=[
        "no name",
        "directory",
        "device",
        "stdout",
        "stderr",
        "descriptor",
        "link to stdout",
        "dash",
        "below a file",
        "proc",
        "long name",
    ],
)
def test_unwritable_output_is_one_line(capsys: Capture, out: str, message: str) -> None:
    Path("folder").mkdir()
    Path("link").symlink_to("/dev/stdout")
    assert run(*USER, out=out) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"polyrank: {message}")
    assert output.err.count("\n") == 1


def test_cross_without_columns_is_told_what_it_takes(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fingerprint", "rows.parquet", "--out", "out.parquet", "--cross", "user_id,city"])
    assert caught.value.code == 2
    expected = "error: --cross takes columns that are hashed: give them with --column, or --schema\n"
    assert capsys.readouterr().err.endswith(expected)


@pytest.mark.parametrize("verb", ["fingerprint", "train"])
def test_help_names_the_kinds_of_files(capsys: Capture, verb: str) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert ".parquet, .csv, .csv.gz, .jsonl" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["rows.parquet", "--column", "a:text"],
        ["--out", "out.parquet", "--column", "a:text"],
        ["rows.parquet", "--out", "out.parquet"],
        ["rows.parquet", "--out", "out.parquet", "--schema", "s.toml", "--column", "a:text"],
        ["rows.parquet", "--sql", "spark", "--column", "a:text"],
        ["--sql", "spark", "--json", "--column", "a:text"],
        ["", "--out", "out.parquet", "--column", "a:text"],
        ["rows.parquet", "--out", "", "--column", "a:text"],
    ],
    ids=[
        "nothing",
        "no output",
        "no input",
        "no column",
        "schema and column",
        "rows and SQL",
        "JSON and SQL",
        "empty input",
        "empty output",
    ],
)
def test_wrong_usage_exits_with_two(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fingerprint", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: polyrank fingerprint")


def test_progress_is_said_after_two_seconds_only(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.9, 2.5, 3.0, 12.6])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = RowProgress("rows.parquet")
    for done in (10, 20, 30, 40):
        progress(done, 40 if done < 40 else None)
    assert capsys.readouterr().err == ("rows.parquet: 20 of 40 rows (50%), 8 rows/s\nrows.parquet: 40 rows, 3 rows/s\n")


def test_quiet_progress_says_nothing(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    RowProgress("rows.parquet", quiet=True)(10, 20)
    assert capsys.readouterr().err == ""


def read_terminal(master: int, *, until: str) -> str:
    """Read what a terminal shows; the kernel hands it over in pieces."""
    said = ""
    while not said.endswith(until):
        said += os.read(master, 4096).decode()
    return said


def test_progress_on_a_terminal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = os.openpty()
    clock = iter([0.0, 2.5, 2.6, 3.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        progress = RowProgress("rows.parquet")
        for done in (10, 15, 20):
            progress(done, 20)
        progress.close()
        said = read_terminal(master, until="\n")
    os.close(master)
    assert (
        said
        == "\rrows.parquet: 10 of 20 rows (50%), 4 rows/s\x1b[K\rrows.parquet: 20 of 20 rows (100%), 7 rows/s\x1b[K\r\n"
    )


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


def test_sql_of_bags_written_as_text_is_refused(place: Path, capsys: Capture) -> None:
    (place / "schema.toml").write_text(WRITTEN_TOML)
    assert main(["fingerprint", "--schema", "schema.toml", "--sql", "spark"]) == 1
    assert "--sql takes bags that are lists, got 'genres', which is text with a separator; " in capsys.readouterr().err
