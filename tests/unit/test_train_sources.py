import gzip
import random
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.errors import DataError
from polyrank.train import read_rows


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_file_is_read_whole(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", user=[1, 2], item=[3, 4])
    assert read_rows(path).to_pydict() == {"user": [1, 2], "item": [3, 4]}


def test_columns_asked_for_are_read_in_order(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", user=[1], item=[3], other=[5])
    assert read_rows(str(path), columns=["item", "user"]).to_pydict() == {"item": [3], "user": [1]}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_csv_file_is_read_with_inferred_types(tmp_path: Path, name: str) -> None:
    opened = gzip.open if name.endswith("gz") else open
    with opened(tmp_path / name, "wt") as file:
        file.write("user,age\n007,1.5\n8,\n")
    assert read_rows(tmp_path / name).to_pydict() == {"user": [7, 8], "age": [1.5, None]}


def test_text_columns_of_csv_keep_their_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zip,day,age\n007,2026-07-01,1\n")
    rows = read_rows(tmp_path / "a.csv", text=["zip", "day", "absent"])
    assert rows.to_pydict() == {"zip": ["007"], "day": ["2026-07-01"], "age": [1]}


def test_files_of_a_directory_follow_in_name_order(tmp_path: Path) -> None:
    parquet(tmp_path / "b.parquet", user=[3])
    parquet(tmp_path / "a.parquet", user=[1, 2])
    (tmp_path / "c.csv").write_text("user\n4\n")
    assert read_rows(tmp_path)["user"].to_pylist() == [1, 2, 3, 4]


def test_hidden_and_foreign_files_are_left_alone(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", user=[1])
    (tmp_path / ".b.parquet").write_text("partial")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "readme.md").write_text("text")
    assert read_rows(tmp_path)["user"].to_pylist() == [1]


def test_integers_and_floats_fit_together(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", user=[1])
    parquet(tmp_path / "b.parquet", user=[2.0, None])
    assert read_rows(tmp_path)["user"].to_pylist() == [1.0, 2.0, None]


def test_folder_names_add_no_columns(tmp_path: Path) -> None:
    (tmp_path / "day=1").mkdir()
    assert read_rows(parquet(tmp_path / "day=1" / "a.parquet", user=[1])).column_names == ["user"]


def two_columns(path: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["user", "user"]), path / "a.parquet")


REFUSALS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "absent": (
        lambda _: None,
        "nowhere",
        "nowhere does not exist; give a file, a directory of files, or a pattern such as 'logs/*.parquet'",
    ),
    "empty directory": (lambda _: None, "", " holds no file that ends in .parquet, .csv, .csv.gz"),
    "other suffix": (
        lambda path: (path / "a.json").touch(),
        "a.json",
        "a.json must end in .parquet, .csv, .csv.gz",
    ),
    "no Parquet": (
        lambda path: (path / "a.parquet").write_text("user\n1\n"),
        "a.parquet",
        "a.parquet cannot be read as Parquet: ",
    ),
    "empty Parquet": (lambda path: (path / "a.parquet").touch(), "a.parquet", "a.parquet cannot be read as Parquet: "),
    "empty CSV": (lambda path: (path / "a.csv").touch(), "a.csv", "a.csv holds no row: it is empty"),
    "ragged CSV": (
        lambda path: (path / "a.csv").write_text("user,item\n1\n"),
        "a.csv",
        "a.csv cannot be read as CSV: row 1 has 1 value where the header has 2: '1'",
    ),
    "ragged CSV with values of several lines": (
        lambda path: (path / "a.csv").write_text('user,item\n1,"a\nb"\n\n2,3\n4,5,6\n'),
        "a.csv",
        "a.csv cannot be read as CSV: row 3 has 3 values where the header has 2: '4,5,6'",
    ),
    "CSV with a long ragged row": (
        lambda path: (path / "a.csv").write_text("user,item\n" + "1" * 99 + "\n"),
        "a.csv",
        f"a.csv cannot be read as CSV: row 1 has 1 value where the header has 2: '{'1' * 60}…'",
    ),
    "CSV whose header is no UTF-8": (
        lambda path: (path / "a.csv").write_bytes(b"user,stra\xdfe\n1,2\n"),
        "a.csv",
        "a.csv cannot be read as CSV: line 1 is not UTF-8 text; declare its encoding, as in --encoding latin-1",
    ),
    "CSV row beyond a block": (
        lambda path: (path / "a.csv").write_text("user,item\n1," + "x" * 3_000_000 + "\n2,3\n"),
        "a.csv",
        "a.csv cannot be read as CSV: a row is larger than the 1 MiB that is sure to be read; shorten it, or give",
    ),
    "no gzip": (
        lambda path: (path / "a.csv.gz").write_text("user\n1\n"),
        "a.csv.gz",
        "a.csv.gz is not compressed with gzip",
    ),
    "missing column": (
        lambda path: parquet(path / "a.parquet", users=[1], item=[2]),
        "a.parquet",
        "a.parquet: column 'user' is missing; did you mean 'users'? (the file has: users, item)",
    ),
    "column twice in Parquet": (
        two_columns,
        "a.parquet",
        "a.parquet: column 'user' is there more than once; columns must be unique",
    ),
    "column twice in CSV": (
        lambda path: (path / "a.csv").write_text("user,user\n1,2\n"),
        "a.csv",
        "a.csv: column 'user' is there more than once; columns must be unique",
    ),
    "files that do not fit": (
        lambda path: (parquet(path / "a.parquet", user=[1]), parquet(path / "b.parquet", user=["x"])),
        "",
        " do not fit together: Unable to merge: Field user has incompatible types: int64 vs string",
    ),
    "ids beyond floats": (
        lambda path: (parquet(path / "a.parquet", user=[2**60 + 1]), parquet(path / "b.parquet", user=[1.0])),
        "",
        " do not fit together: Integer value 1152921504606846977 not in range",
    ),
}


@pytest.mark.parametrize(("prepare", "name", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, prepare: Callable[[Path], object], name: str, message: str
) -> None:
    prepare(tmp_path)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        read_rows(tmp_path / name, columns=["user"])
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("lines", [1, 200_000])
def test_text_that_is_no_utf8_is_refused_with_its_line(tmp_path: Path, lines: int) -> None:
    (tmp_path / "a.csv").write_bytes(b"user,city\n" + "1,Mülheim\n".encode() * lines + b"2,M\xfclheim\n")
    with pytest.raises(DataError, match=rf"a\.csv cannot be read as CSV: line {lines + 2:,} is not UTF-8 text; decl"):
        read_rows(tmp_path / "a.csv", text=["city"])


@pytest.mark.parametrize("size", [3, 4, 100, 700, -1, -8, -9])
def test_truncated_parquet_is_refused(tmp_path: Path, size: int) -> None:
    path = parquet(tmp_path / "a.parquet", user=list(range(100)))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet: "):
        read_rows(path)


def test_damaged_parquet_is_refused_or_read(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "a.parquet", user=["some text"] * 50).read_bytes()
    chance, refused = random.Random(0), 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        (tmp_path / "a.parquet").write_bytes(damaged)
        try:
            read_rows(tmp_path / "a.parquet")
        except DataError:
            refused += 1
    assert refused > 20
