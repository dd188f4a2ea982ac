"""`polyrank score`: what is wrong with files and options is told before anything is written."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy import toy_table

from polyrank.__main__ import main

WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda _: None, "rows.parquet does not exist; give a file, a directory of files, or a pattern"),
    "empty directory": (Path.mkdir, "rows.parquet holds no file that ends in "),
    "no Parquet": (lambda path: path.write_text("text"), "rows.parquet cannot be read as Parquet: "),
    "other columns": (
        lambda path: pq.write_table(pa.table({"x": [1]}), path),
        "rows.parquet: column 'user_id' is missing (the file has: x)",
    ),
    "no row": (lambda path: pq.write_table(toy_table(1)[:0], path), "rows.parquet holds no row"),
    "a wrong value": (
        lambda path: pq.write_table(toy_table(5).set_column(7, "plays", pa.array([1, 2, -1, 4, 5])), path),
        "rows.parquet: column 'plays' holds -1.0 at row 3",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_rows_that_cannot_be_scored_are_one_line(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    prepare, message = WRONG[case]
    monkeypatch.chdir(tmp_path)
    prepare(Path("rows.parquet"))
    before = sorted(tmp_path.iterdir())
    assert main(["score", str(toy_bundle), "rows.parquet", "--out", "scores.parquet"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


REFUSED = {
    "packed CSV": (
        ["--out", "scores.csv.gz"],
        "cannot write scores.csv.gz: scores are written as Parquet or CSV; name a .parquet or .csv file",
    ),
    "a column twice": (["--keep", "age", "--keep", "age"], "keep names column 'age' twice; name it once"),
    "a column of scores": (["--keep", "click"], "keep names column 'click', which scores have too; rename it"),
    "an unknown column": (["--keep", "ages"], "rows.parquet: column 'ages' is missing; did you mean 'age'?"),
    "a folder in the way": (["--out", "folder"], "cannot write folder: is a directory; choose another output"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_options_are_one_line(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    options, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    pq.write_table(toy_table(5), "rows.parquet")
    Path("folder").mkdir()
    assert main(["score", str(toy_bundle), "rows.parquet", "--out", "scores.parquet", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1


def test_folder_that_is_no_bundle_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(tmp_path), "rows.parquet", "--out", "scores.parquet"]) == 1
    assert capsys.readouterr().err == (
        f"polyrank: {tmp_path} is not a bundle: signature.json cannot be read (no such file or directory); make one "
        "with: polyrank export\n"
    )
