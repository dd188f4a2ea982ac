"""Which files a directory or a pattern stands for, and what their folders say."""

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.errors import DataError
from polyrank.files import SUFFIXES, list_files, would_list
from polyrank.train import read_rows


def put(root: Path, name: str, user: int) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"user": [user]}), root / name)


def users(path: Path) -> list[int]:
    found: list[int] = read_rows(path, columns=["user"])["user"].to_pylist()
    return found


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    put(tmp_path, "2026-01/part-0.parquet", 1)
    put(tmp_path, "2026-01/part-1.parquet", 2)
    put(tmp_path, "2026-02/deep/part-0.parquet", 3)
    put(tmp_path, "2027-01/part-0.parquet", 4)
    put(tmp_path, "_temporary/part-0.parquet", 5)
    put(tmp_path, ".hidden/part-0.parquet", 6)
    put(tmp_path, "2027-01/_part-9.parquet", 7)
    return tmp_path


def test_folders_of_a_directory_are_read(logs: Path) -> None:
    assert users(logs) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("2026-*/part-*.parquet", [1, 2]),
        ("2026-*", [1, 2, 3]),
        ("2026-0[2-9]", [3]),
        ("**/part-0.parquet", [1, 3, 4]),
        ("**", [1, 2, 3, 4]),
        ("2027-?1", [4]),
    ],
)
def test_patterns_are_read(logs: Path, pattern: str, expected: list[int]) -> None:
    assert users(logs / pattern) == expected


@pytest.mark.parametrize(
    "path", ["", "2026-*/part-*.parquet", "2026-*", "**/part-0.parquet", "**", "2027-?1/*", "again/*"]
)
@pytest.mark.parametrize(
    "name",
    [
        "new.parquet",
        "new.txt",
        "2026-01/part-9.parquet",
        "2026-02/deep/new.csv",
        "2026-03/new/part-0.parquet",
        "2027-01/_new.parquet",
        "2027-01/../2026-01/new.parquet",
        "_temporary/new.parquet",
        "again/new.parquet",
        "2026-09/day=1/_hour=2/new.parquet",
    ],
)
def test_file_that_would_be_read_is_known_before_it_is_there(logs: Path, path: str, name: str) -> None:
    (logs / "again").symlink_to(logs / "2026-02")
    said = would_list(logs / path, logs / name, SUFFIXES)
    (logs / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"user": [8]}), logs / name)
    assert said == any(Path(str(part.file)).samefile(logs / name) for part in list_files(logs / path, SUFFIXES))


def test_patterns_may_be_relative(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(logs)
    assert users(Path("*-01/part-0.parquet")) == [1, 4]


def test_a_file_may_be_named_like_a_pattern(tmp_path: Path) -> None:
    put(tmp_path, "a[1].parquet", 1)
    assert users(tmp_path / "a[1].parquet") == [1]


def test_links_are_followed_once(logs: Path, tmp_path: Path) -> None:
    (logs / "2026-01" / "loop").symlink_to(logs)
    (logs / "again").symlink_to(logs / "2026-02")
    assert users(tmp_path) == [1, 2, 3, 4]


def test_folders_with_equals_signs_add_columns(tmp_path: Path) -> None:
    put(tmp_path, "date=2026-01-01/hour=07/a.parquet", 1)
    put(tmp_path, "date=2026-01-02/hour=08/a.parquet", 2)
    put(tmp_path, "date=__HIVE_DEFAULT_PARTITION__/hour=9/a%3D.parquet", 3)
    put(tmp_path, "date=a%2Fb/a.parquet", 4)
    assert read_rows(tmp_path, columns=["user", "date", "hour"]).to_pydict() == {
        "user": [1, 2, 3, 4],
        "date": ["2026-01-01", "2026-01-02", None, "a/b"],
        "hour": [7, 8, 9, None],
    }
    assert read_rows(tmp_path / "date=2026*", text=["hour"])["hour"].to_pylist() == ["07", "08"]


def test_order_of_partitions_is_that_of_names(tmp_path: Path) -> None:
    put(tmp_path, "day=2/a.parquet", 2)
    put(tmp_path, "day=1/b.parquet", 1)
    assert read_rows(tmp_path).to_pydict() == {"user": [1, 2], "day": [1, 2]}


def test_the_folder_counts_where_the_file_has_the_column_too(tmp_path: Path) -> None:
    put(tmp_path, "user=9/a.parquet", 1)
    assert users(tmp_path) == [9]


def test_folders_above_what_is_given_add_nothing(tmp_path: Path) -> None:
    put(tmp_path, "day=1/a.parquet", 1)
    assert read_rows(tmp_path / "day=1").column_names == ["user"]
    assert read_rows(tmp_path / "day=1" / "*").column_names == ["user"]


def test_pattern_without_files_is_refused(tmp_path: Path) -> None:
    message = f"{tmp_path}/x-* matches no file that ends in .parquet, .csv, .csv.gz, .jsonl"
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        read_rows(tmp_path / "x-*")


def test_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"a\.csv is no regular file; give files that can be read twice$"):
        read_rows(tmp_path)


def test_file_of_another_kind_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "logs.data"
    path.touch()
    with pytest.raises(
        DataError, match=r"logs\.data must end in \.a, \.b; rename it after what it holds, or convert it$"
    ):
        list_files(path, [".a", ".b"])
