"""Journals and what becomes of them, whatever kills their writers."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts import shown

from polyrank.errors import ConfigError
from polyrank.impressions import Journal, Recovered, check_storable, pack, recover
from polyrank.serving import ImpressionLog

SCHEMA = pa.schema([("request_id", pa.string()), ("scores", pa.map_(pa.string(), pa.float32()))])
BATCH = pa.record_batch([["a", "b"], [[("click", 0.5)], [("click", 0.25)]]], schema=SCHEMA)
CHANGES = ("os.rename", "os.remove")


def orphan(folder: Path, batches: int = 2, torn: bytes = b"") -> Path:
    """Leave what a writer that died leaves, and return its journal."""
    journal = Journal(folder, SCHEMA, 0.0)
    for _ in range(batches):
        journal.append(BATCH)
    journal.forget()
    with journal.path.open("ab") as file:
        file.write(torn)
    return journal.path


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a child that is killed before its step of that number which changes a folder; say whether it was."""
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event: str, _arguments: object) -> None:
            nonlocal count
            if event in CHANGES:
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_journal_of_the_dead_becomes_a_file(tmp_path: Path) -> None:
    path = orphan(tmp_path)
    assert recover(tmp_path) == Recovered(files=1, rows=4)
    assert shown.rows(tmp_path).equals(pa.Table.from_batches([BATCH, BATCH]))
    assert [file.name for file in tmp_path.iterdir()] == [f"{path.stem.removeprefix('.')}.parquet"]


def test_file_is_compressed_with_zstd(tmp_path: Path) -> None:
    orphan(tmp_path)
    recover(tmp_path)
    assert pq.ParquetFile(shown.files(tmp_path)[0]).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("torn", [b"\xff", b"\xff\xff\xff\xff", bytes(64), BATCH.serialize().to_pybytes()[:-1]])
def test_torn_tail_is_dropped_and_counted(tmp_path: Path, torn: bytes) -> None:
    orphan(tmp_path, torn=torn)
    assert recover(tmp_path) == Recovered(files=1, rows=4, torn_bytes=len(torn))
    assert shown.rows(tmp_path).num_rows == 4


def test_batch_whose_offsets_point_outside_of_it_is_dropped(tmp_path: Path) -> None:
    path = orphan(tmp_path, batches=1)
    last = bytearray(BATCH.serialize().to_pybytes())
    ends = last.index(bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]))  # of request_id
    last[ends + 8 : ends + 12] = b"\xff\xff\xff\x7f"
    with path.open("ab") as file:
        file.write(last)
    assert recover(tmp_path) == Recovered(files=1, rows=2, torn_bytes=len(last))
    assert shown.rows(tmp_path).equals(pa.Table.from_batches([BATCH]))


def test_every_length_of_a_journal_is_recovered_to_its_last_whole_batch(tmp_path: Path) -> None:
    data = orphan(tmp_path / "whole").read_bytes()
    first, second = (orphan(tmp_path / name, batches).stat().st_size for name, batches in (("one", 1), ("none", 0)))
    ends = {second: 0, first: 2, len(data): 4}
    for length in range(0, len(data) + 1, 7):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / ".impressions-x.journal").write_bytes(data[:length])
        end = max((each for each in ends if each <= length), default=0)
        expected = Recovered(files=int(ends.get(end, 0) > 0), rows=ends.get(end, 0), torn_bytes=length - end)
        assert recover(folder) == expected


def test_journal_of_the_living_is_left_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SCHEMA, 0.0)
    journal.append(BATCH)
    assert recover(tmp_path) == Recovered()
    assert journal.path.exists()
    journal.discard()


@pytest.mark.parametrize("step", range(1, 5))
def test_kill_at_any_step_keeps_each_row_once(tmp_path: Path, step: int) -> None:
    orphan(tmp_path)
    was_killed = killed_at(step, lambda: recover(tmp_path))
    recover(tmp_path)
    assert was_killed == (step <= 3)  # the journal's new name, the file's, and the end of the journal
    assert shown.rows(tmp_path).num_rows == 4
    assert [file.suffix for file in tmp_path.iterdir()] == [".parquet"]


def test_kill_after_a_reader_took_the_file_brings_no_row_back(tmp_path: Path) -> None:
    orphan(tmp_path)
    assert killed_at(3, lambda: recover(tmp_path))
    shown.files(tmp_path)[0].rename(tmp_path / "taken")
    recover(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_several_may_recover_at_once(tmp_path: Path) -> None:
    for _ in range(20):
        orphan(tmp_path)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            recover(tmp_path)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert shown.rows(tmp_path).num_rows == 80
    assert {file.suffix for file in tmp_path.iterdir()} == {".parquet"}


def test_next_log_in_the_folder_recovers(tmp_path: Path) -> None:
    orphan(tmp_path)
    with ImpressionLog(tmp_path) as log:
        pass
    assert log.recovered == Recovered(rows=4)
    assert shown.rows(tmp_path).num_rows == 4


def test_folder_that_is_not_there_has_nothing_to_recover(tmp_path: Path) -> None:
    assert ImpressionLog.recover(tmp_path / "nothing") == Recovered()


def test_folder_must_be_a_path() -> None:
    with pytest.raises(ConfigError, match="folder must be a path, got 7"):
        ImpressionLog.recover(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_batch_that_the_disk_does_not_take_leaves_the_journal_whole(small_disk: Path) -> None:
    journal = Journal(small_disk, SCHEMA, 0.0)
    large = pa.record_batch([["x" * 50_000], [[]]], schema=SCHEMA)
    journal.append(large)
    size = journal.size
    with pytest.raises(OSError, match="No space left"):
        journal.append(large)
    journal.append(BATCH)
    assert journal.path.stat().st_size == journal.size > size
    journal.discard()


def test_column_that_parquet_cannot_hold_is_refused() -> None:
    with pytest.raises(pa.ArrowException, match="month_day_nano_interval"):
        check_storable(pa.schema([("span", pa.month_day_nano_interval())]))


def test_child_of_a_fork_logs_for_itself(tmp_path: Path) -> None:
    items = shown.items()
    log = ImpressionLog(tmp_path)
    log.shown(shown.answer(items, [0], "of the parent"), user=shown.USER, items=items)
    child = os.fork()
    if child == 0:
        log.shown(shown.answer(items, [1], "of the child"), user=shown.USER, items=items)
        log.close()
        os._exit(log.written)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    log.close()
    assert sorted(shown.rows(tmp_path)["request_id"].to_pylist()) == ["of the child", "of the parent"]


def test_process_that_ends_writes_what_waits(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", _ENDS, str(tmp_path)], env=environment, check=True)
    assert shown.rows(tmp_path)["request_id"].to_pylist() == ["r-1"]


_ENDS = """
import sys
from artefacts import shown
from polyrank.serving import ImpressionLog
log, items = ImpressionLog(sys.argv[1], flush_s=100), shown.items()
log.shown(shown.answer(items, [0]), user=shown.USER, items=items)
"""


def test_a_file_is_put_in_place_when_the_disk_knows_that_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan(tmp_path)
    kept: list[list[str]] = []

    def flush(path: Path) -> None:
        if path == tmp_path:
            kept.append(sorted(each.suffix for each in path.iterdir()))

    monkeypatch.setattr("polyrank.impressions.packing.flush", flush)
    recover(tmp_path)
    assert kept == [[".packed", ".partial"], [".parquet"]]


def test_a_journal_that_no_file_can_hold_stays_and_others_are_recovered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    schema = pa.schema([("span", pa.month_day_nano_interval())])
    odd = Journal(tmp_path, schema, 0.0)
    odd.append(pa.record_batch([pa.array([None], schema.field(0).type)], schema=schema))
    odd.forget()
    orphan(tmp_path)
    assert recover(tmp_path).rows == 4
    assert [odd.path] == list(tmp_path.glob(".impressions-*"))
    assert f"{odd.path} cannot be made a Parquet file, and stays" in caplog.text


def test_packing_ends_what_an_earlier_try_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = orphan(tmp_path)
    monkeypatch.setattr("polyrank.impressions.packing._finish", failing)
    with pytest.raises(OSError, match="input/output error"):
        pack(journal)
    monkeypatch.undo()
    pack(journal)
    assert [file.suffix for file in tmp_path.iterdir()] == [".parquet"]
    assert shown.rows(tmp_path).num_rows == 4


def failing(_packed: Path) -> None:
    raise OSError(errno.EIO, "input/output error")
