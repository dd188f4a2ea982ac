"""`polyrank score`: rows that cannot be read are refused before a server is asked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from polyrank.__main__ import main
from polyrank.commands.score import read_parquet, write_scores

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


SCORES = pa.table(
    {
        "click": pa.array([0.1, 1 / 3], pa.float32()),
        "genre": pa.FixedSizeListArray.from_arrays(pa.array([0.1, 0.2, 0.7, 1e-9, 1 / 3, 2 / 3], pa.float32()), 3),
    }
)


def test_scores_of_classes_are_lists_in_parquet(tmp_path: Path) -> None:
    write_scores(SCORES, tmp_path / "scores.parquet")
    assert pq.read_table(tmp_path / "scores.parquet").equals(SCORES)


@pytest.mark.parametrize("name", ["scores.csv", "scores.CSV"])
def test_scores_of_classes_are_columns_in_csv(tmp_path: Path, name: str) -> None:
    write_scores(SCORES, tmp_path / name)
    stored = csv.read_csv(tmp_path / name)
    assert stored.column_names == ["click", "genre.0", "genre.1", "genre.2"]
    classes = np.array(SCORES["genre"].to_pylist(), np.float32)
    assert stored["click"].to_numpy().astype(np.float32).tolist() == SCORES["click"].to_pylist()
    assert [stored[f"genre.{place}"].to_numpy().astype(np.float32).tolist() for place in range(3)] == classes.T.tolist()


def test_packed_csv_is_refused_before_a_server_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.csv.gz"
    assert main(["score", "localhost:1", str(tmp_path), "--out", str(out)]) == 1
    message = "scores are written as Parquet or CSV; name a .parquet or .csv file"
    assert capsys.readouterr().err == f"polyrank: cannot write {out}: {message}\n"
