"""A file that is written is none of those that are read."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.errors import DataError, OutputError
from polyrank.files import check_output


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows, a run and a file, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for folder in ("logs", "run/deep"):
        Path(folder).mkdir(parents=True)
    pq.write_table(pa.table({"user": [1]}), "logs/a.parquet")
    Path("run/weights").write_text("weights")
    Path("schema.toml").write_text("schema")
    Path("again").hardlink_to("schema.toml")
    Path("link").symlink_to("run/deep/new.json")
    return tmp_path


IS_ROWS = "it is a file of the rows logs; choose another output file"
WOULD_BE_ROWS = "files there would be rows of logs the next time; choose another folder"
IS_READ = "it is schema.toml, which is read; choose another output file"
WOULD_LIE = "it would lie in run, which is read; choose another folder"
REFUSED = {
    "logs/a.parquet": IS_ROWS,
    "logs/../logs/a.parquet": IS_ROWS,
    "logs/b.csv": WOULD_BE_ROWS,
    "schema.toml": IS_READ,
    "again": IS_READ,
    "run/weights": WOULD_LIE,
    "run/deep/new.json": WOULD_LIE,
    "link": WOULD_LIE,
    "run": "is a directory; choose another output file",
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("out", REFUSED)
def test_output_among_what_is_read_is_refused(out: str) -> None:
    with pytest.raises(OutputError, match=f"^{re.escape(f'cannot write {out}: {REFUSED[out]}')}$"):
        check_output(Path(out), rows=[Path("logs")], inputs=[Path("schema.toml"), Path("run")])


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("out", ["new.json", "logs/found.json", "runs", "deep/new.parquet"])
def test_output_apart_is_let_be(out: str) -> None:
    check_output(Path(out), rows=[Path("logs")], inputs=[Path("run"), Path("localhost:8000")])
    assert not Path(out).exists()


@pytest.mark.usefixtures("place")
def test_file_beside_the_output_is_refused_among_rows() -> None:
    with pytest.raises(OutputError, match=r"^cannot write logs/x: files there would be rows of logs "):
        check_output(Path("logs/x"), rows=[Path("logs")], beside=[Path("logs/x.parts/0.parquet")])


@pytest.mark.usefixtures("place")
def test_rows_that_are_absent_are_named() -> None:
    with pytest.raises(DataError, match=r"^none\.parquet does not exist; give a file"):
        check_output(Path("out.json"), rows=[Path("none.parquet")])
