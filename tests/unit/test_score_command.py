"""`polyrank score`: rows that cannot be read are refused before a server is asked."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.__main__ import main
from polyrank.commands.score import read_parquet

WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda _: None, "rows does not exist; give a Parquet file"),
    "empty directory": (Path.mkdir, "rows holds no column; give a Parquet file, or a directory of them"),
    "no Parquet": (lambda path: path.write_text("text"), "rows cannot be read as Parquet: "),
}


@pytest.mark.parametrize(("prepare", "message"), WRONG.values(), ids=WRONG)
def test_rows_that_cannot_be_read_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], object],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(Path("rows"))
    assert main(["score", "localhost:1", "rows", "--out", "scores.parquet"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert not Path("scores.parquet").exists()


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv_is_refused_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = tmp_path / name
    path.write_text('user_id,city\n1,"Paris\n')
    assert main(["score", "localhost:1", str(path), "--out", str(tmp_path / "scores.parquet")]) == 1
    error = capsys.readouterr().err
    assert error == f"polyrank: {path} is CSV; give a Parquet file\n"


def test_files_of_a_directory_are_read_as_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pq.write_table(pa.table({"user_id": [1]}), tmp_path / f"{name}.parquet")
    assert read_parquet(tmp_path).to_pydict() == {"user_id": [1, 1]}
