"""Files scored with a bundle in this process: every format, in parts, interrupted and gone on with."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from artefacts.runs import ITEM, make_run, make_schema_of
from numpy.testing import assert_allclose
from toy import toy_table

from polyrank.__main__ import main
from polyrank.encoder import Encoder
from polyrank.errors import ConfigError, OutputError, RepositoryError
from polyrank.export import export_onnx
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.serving import LocalRanker, scoring
from polyrank.serving.blocks import Pending
from polyrank.serving.scoring import ScoringOptions, score_files

TASKS = ["click", "like", "rating", "watch_s"]
ROWS = 1_000


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return toy_table(ROWS, 4)


@pytest.fixture(scope="module")
def expected(toy_run: Path, rows: pa.Table) -> dict[str, Any]:
    trained = TrainedRanker.load(toy_run)
    return predict(trained.model, Encoder(trained.schema).encode(rows))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "ROWS_IN_A_PART", 150)


FORMATS: dict[str, Callable[[pa.Table, Path], object]] = {
    "rows.parquet": pq.write_table,
    "rows.jsonl": lambda table, path: pl.DataFrame(table).write_ndjson(path),
    "rows.arrow": lambda table, path: pl.DataFrame(table).write_ipc(path),
}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("name", FORMATS)
def test_file_of_every_format_is_scored(
    toy_bundle: Path, rows: pa.Table, expected: dict[str, Any], tmp_path: Path, name: str
) -> None:
    FORMATS[name](rows, tmp_path / name)
    assert main(["score", str(toy_bundle), str(tmp_path / name), "-o", str(tmp_path / "scores.parquet")]) == 0
    found = pq.read_table(tmp_path / "scores.parquet")
    assert found.column_names == TASKS
    for task in TASKS:
        assert_allclose(found[task].to_numpy(), expected[task], rtol=1e-5, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "scores.parquet"])


def test_directory_of_files_is_scored_in_order(
    toy_bundle: Path, rows: pa.Table, expected: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    for place in range(4):
        pq.write_table(rows[250 * place : 250 * (place + 1)], tmp_path / "logs" / f"{place}.parquet")
    with LocalRanker(toy_bundle) as ranker:
        options = ScoringOptions(keep=["user_id", "time_ms"])
        scored = score_files(ranker, tmp_path / "logs", tmp_path / "scores.parquet", options)
    found = pq.read_table(tmp_path / "scores.parquet")
    assert (scored.num_rows, found.column_names) == (ROWS, ["user_id", "time_ms", *TASKS])
    assert found["time_ms"].equals(rows["time_ms"])
    assert_allclose(found["click"].to_numpy(), expected["click"], rtol=1e-5, atol=1e-5)


def test_csv_reads_back_as_the_same_numbers(
    toy_bundle: Path, rows: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(rows, tmp_path / "rows.parquet")
    for out in ("scores.parquet", "scores.csv"):
        assert main(["score", str(toy_bundle), str(tmp_path / "rows.parquet"), "-o", str(tmp_path / out)]) == 0
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'scores.csv'}: 1,000 rows scored by toy\n")
    exact, text = pq.read_table(tmp_path / "scores.parquet"), pyarrow.csv.read_csv(tmp_path / "scores.csv")
    for task in TASKS:
        assert text[task].to_numpy().astype(np.float32).tolist() == exact[task].to_pylist()


def test_classes_are_lists_in_parquet_and_columns_in_csv(tmp_path: Path) -> None:
    schema = make_schema_of(ITEM, tasks=['{ name = "genre", kind = "multiclass", label = "genre", num_classes = 3 }'])
    table = pa.table({"item": list(range(20))})
    make_run(tmp_path / "run", schema, seed=0, sample=Encoder(schema).encode(table))
    bundle = export_onnx(tmp_path / "run", out=tmp_path / "bundle").path
    pq.write_table(table, tmp_path / "rows.parquet")
    with LocalRanker(bundle) as ranker:
        for out in ("scores.parquet", "scores.CSV"):
            score_files(ranker, tmp_path / "rows.parquet", tmp_path / out)
    exact = pq.read_table(tmp_path / "scores.parquet")["genre"]
    assert exact.type == pa.list_(pa.float32(), 3)
    text = pyarrow.csv.read_csv(tmp_path / "scores.CSV")
    assert text.column_names == ["genre.0", "genre.1", "genre.2"]
    classes = np.array(exact.to_pylist(), np.float32)
    assert [text[f"genre.{place}"].to_numpy().astype(np.float32).tolist() for place in range(3)] == classes.T.tolist()


KILLED = """
import os, signal, sys
from pathlib import Path
from polyrank.serving import LocalRanker, scoring
scoring.ROWS_IN_A_PART = 150
def progress(done, total):
    if done >= 600:
        os.kill(os.getpid(), signal.SIGKILL)
options = scoring.ScoringOptions(keep=["user_id"], progress=progress)
scoring.score_files(LocalRanker(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), options)
"""


@pytest.fixture
def killed(toy_bundle: Path, rows: pa.Table, tmp_path: Path) -> Path:
    """A folder with rows and what a killed scoring has left: four parts of 150 rows."""
    pq.write_table(rows, tmp_path / "rows.parquet")
    command = [sys.executable, "-c", KILLED, str(toy_bundle), str(tmp_path / "rows.parquet")]
    done = subprocess.run([*command, str(tmp_path / "scores.parquet")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "scores.parquet.parts").glob("part-*.parquet"))) == 4
    return tmp_path


@pytest.mark.usefixtures("small_parts")
def test_killed_scoring_is_gone_on_with(
    killed: Path, toy_bundle: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    start = LocalRanker.start

    def counted(self: LocalRanker, part: pa.Table) -> Pending:
        counts.append(len(part))
        return start(self, part)

    monkeypatch.setattr(LocalRanker, "start", counted)
    command = ["score", str(toy_bundle), str(killed / "rows.parquet"), "-o", str(killed / "scores.parquet")]
    assert main([*command, "--keep", "user_id", "--resume"]) == 0
    assert counts == [150, 150, 100]
    found = pq.read_table(killed / "scores.parquet")
    assert_allclose(found["click"].to_numpy(), expected["click"], rtol=1e-5, atol=1e-5)
    assert sorted(path.name for path in killed.iterdir()) == ["rows.parquet", "scores.parquet"]


def test_killed_scoring_begins_anew_unless_resumed(killed: Path, toy_bundle: Path) -> None:
    command = ["score", str(toy_bundle), str(killed / "rows.parquet"), "-o", str(killed / "scores.parquet")]
    assert main(command) == 0
    assert pq.read_table(killed / "scores.parquet").column_names == TASKS


def test_other_rows_are_not_gone_on_with(killed: Path, toy_bundle: Path) -> None:
    os.utime(killed / "rows.parquet", (1, 1))
    with (
        LocalRanker(toy_bundle) as ranker,
        pytest.raises(OutputError, match=r"holds parts of a scoring with other rows; give the same again, or"),
    ):
        score_files(
            ranker,
            killed / "rows.parquet",
            killed / "scores.parquet",
            ScoringOptions(keep=["user_id"], resume=True),
        )


@pytest.mark.usefixtures("small_parts")
def test_few_parts_are_scored_before_the_first_is_written(
    toy_bundle: Path, rows: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ahead = [], []
    start = LocalRanker.start

    def counted(self: LocalRanker, part: pa.Table) -> Pending:
        begun.append(len(part))
        return start(self, part)

    monkeypatch.setattr(LocalRanker, "start", counted)
    pq.write_table(rows, tmp_path / "rows.parquet")
    options = ScoringOptions(progress=lambda done, _: ahead.append(sum(begun) - done))
    with LocalRanker(toy_bundle) as ranker:
        score_files(ranker, tmp_path / "rows.parquet", tmp_path / "scores.parquet", options)
    assert ahead == [300, 300, 300, 300, 250, 100, 0]


def test_first_of_two_errors_is_told(
    toy_bundle: Path, rows: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    wrong = rows.set_column(rows.column_names.index("plays"), "plays", pa.array([1, -1] * (ROWS // 2)))
    pq.write_table(wrong, tmp_path / "logs" / "a.parquet")
    (tmp_path / "logs" / "b.parquet").write_text("text")
    assert main(["score", str(toy_bundle), str(tmp_path / "logs"), "-o", str(tmp_path / "scores.parquet")]) == 1
    assert "a.parquet: column 'plays' holds -1.0 at row 2" in capsys.readouterr().err


def test_dictionaries_are_of_kept_columns_alone(toy_bundle: Path, rows: pa.Table, tmp_path: Path) -> None:
    pq.write_table(rows, tmp_path / "rows.parquet")
    with LocalRanker(toy_bundle) as ranker:
        options = ScoringOptions(keep=["device", "history"])
        score_files(ranker, tmp_path / "rows.parquet", tmp_path / "scores.parquet", options)
    group = pq.read_metadata(tmp_path / "scores.parquet").row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    packed = [column.path_in_schema for column in columns if column.has_dictionary_page]
    assert packed == ["device", "history.list.element"]


def test_two_at_once_do_not_mix(toy_bundle: Path, rows: pa.Table, tmp_path: Path) -> None:
    pq.write_table(rows, tmp_path / "rows.parquet")
    hung = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "signal.pause()")
    command = [sys.executable, "-c", hung, str(toy_bundle), str(tmp_path / "rows.parquet")]
    with subprocess.Popen([*command, str(tmp_path / "scores.parquet")]) as other:
        try:
            while len(list((tmp_path / "scores.parquet.parts").glob("part-*.parquet"))) < 4:
                time.sleep(0.05)
            with LocalRanker(toy_bundle) as ranker, pytest.raises(OutputError, match=r"another process is scoring to"):
                score_files(ranker, tmp_path / "rows.parquet", tmp_path / "scores.parquet")
        finally:
            other.kill()


def test_local_ranker_refuses_what_it_cannot_run(toy_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^threads must be an integer in \[1, 1024\], got 0$"):
        LocalRanker(toy_bundle, threads=0)
    (tmp_path / "signature.json").write_bytes((toy_bundle / "signature.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(RepositoryError, match=r"model\.onnx cannot be loaded: .*; export the run anew$"):
        LocalRanker(tmp_path)
