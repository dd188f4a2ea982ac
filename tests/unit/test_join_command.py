"""`polyrank join`: what it prints and writes, and what it refuses."""

import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from joins import SHOP_TOML, happened, shown

from polyrank.__main__ import main
from polyrank.impressions import Journal

Capture = pytest.CaptureFixture[str]

HEADER = ["task", "window", "events", "attributed", "late", "without", "impression", "duplicates"]
HEADER += ["labels", "mean", "pending"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a schema, impressions and outcomes."""
    monkeypatch.chdir(tmp_path)
    Path("schema.toml").write_text(SHOP_TOML)
    Path("shown").mkdir()
    pq.write_table(shown([("a", 1, 7, 0), ("b", 1, 7, 100), ("b", 1, 7, 100)]), "shown/1.parquet")
    outcomes = [
        ("a", 7, 1, "click"),
        ("a", 7, 1, "click"),
        ("a", 7, 90, "click"),
        ("z", 7, 1, "plays"),
        ("b", 7, 101, "look"),
    ]
    pq.write_table(happened(outcomes), "outcomes.parquet")
    return tmp_path


def join(*options: str, out: str = "rows.parquet") -> int:
    return main(["join", "shown", "outcomes.parquet", "--schema", "schema.toml", "--out", out, *options])


def test_a_join_prints_what_became_of_outcomes(capsys: Capture) -> None:
    assert join("--window", "click=30s", "--window-default", "2h", "--until", "1767225700") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        HEADER,
        ["click", "30s", "3", "1", "1", "0", "1", "1", "1", "0"],
        ["plays", "2h", "1", "0", "0", "1", "0", "0", "1"],
        ["stars", "2h", "0", "0", "0", "0", "0", "0", "1"],
    ]
    assert lines[5:] == [
        "rows.parquet: 1 rows until 2026-01-01T00:01:40+00:00, 1 repeated ones dropped",
        "labels are final of what was shown before 2025-12-31T22:01:40+00:00; join again for the others",
        "task 'plays': no event counts; are items (item_id), users and times in the same terms?",
        "task 'stars' has no event; is it written otherwise in the outcomes?",
        "events of tasks that the schema has not, left alone: 'look' 1",
    ]


def test_a_join_writes_rows_with_labels() -> None:
    assert join("--window", "click=30s", "--since", "2026-01-01T00:00:00Z", "--position", "place") == 0
    table = pq.read_table("rows.parquet")
    assert table["clicked"].to_pylist() == [1.0, None]
    assert table["place"].to_pylist() == [1, 2]


def test_json_has_every_count(capsys: Capture) -> None:
    assert join("--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["repeated"], found["tasks"][0]["events"]) == (2, 1, 3)


def test_events_before_since_have_a_column(capsys: Capture) -> None:
    assert join("--since", "2026-01-01T00:00:10Z") == 0
    assert "before since" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window", "click"), "--window must be TASK=DURATION, such as click=30m, got 'click'"),
        (("--window", "click=1h", "--window", "click=2h"), "--window names task 'click' twice; name it once"),
        (("--window", "click=soon"), "--window click must be a duration above 0 and up to 100 years"),
        (("--window", "clik=3s"), "--window must be of tasks of the schema, got 'clik'"),
        (("--window-default", "-1"), "--window-default must be a duration above 0"),
        (("--until", "soon"), "--until must be a time such as 2026-07-01T12:00:00+02:00"),
        (("--position", "place", "--time", "when"), "outcomes.parquet: column 'when' is missing"),
    ],
)
def test_wrong_options_are_refused_in_a_line(options: tuple[str, ...], message: str, capsys: Capture) -> None:
    assert join(*options) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert not Path("rows.parquet").exists()


@pytest.mark.parametrize("out", ["shown/1.parquet", "shown/2.parquet", "outcomes.parquet"])
def test_what_is_read_is_not_written(out: str, capsys: Capture) -> None:
    assert join(out=out) == 1
    assert capsys.readouterr().err.startswith(f"polyrank: cannot write {out}: ")
    assert sorted(path.name for path in Path("shown").iterdir()) == ["1.parquet"]


def test_a_refused_join_leaves_what_was_there() -> None:
    join()
    before = Path("rows.parquet").read_bytes()
    pq.write_table(pa.table({"item_id": [7]}), "outcomes.parquet")
    assert join() == 1
    assert Path("rows.parquet").read_bytes() == before
    assert not list(Path().glob(".*partial*"))


def test_impressions_of_a_writer_that_died_are_joined() -> None:
    table = pq.read_table("shown/1.parquet")
    Path("shown/1.parquet").unlink()
    journal = Journal(Path("shown"), table.schema, 0.0)
    journal.append(table.to_batches()[0])
    journal.flush()
    journal.forget()
    assert join("--until", "1767225700") == 0
    assert pq.read_table("rows.parquet")["request_id"].to_pylist() == ["a"]
    assert [file.suffix for file in Path("shown").iterdir()] == [".parquet"]


def test_impressions_that_cannot_be_recovered_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("polyrank.impressions.packing.recover", full)
    assert join("--until", "1767225700") == 0
    assert "impressions of writers that died are left out of shown for now: no space left on device" in caplog.text
