"""`polyrank fingerprint` refuses what is wrong in one line, and leaves nothing."""

import gzip
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.__main__ import main

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
    "CSV named gzip": (
        lambda: Path("rows.csv.gz").write_text("user_id\n1\n"),
        "rows.csv.gz",
        USER,
        "rows.csv.gz is not compressed with gzip, by its first bytes; take .gz off its name",
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
    "empty CSV": (csv(""), "rows.csv", USER, "rows.csv holds no row: it is empty"),
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
