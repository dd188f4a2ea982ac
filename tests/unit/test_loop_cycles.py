"""Cycles on disk: which step is next, what is known of it, and who is at work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from artefacts.loop_cycles import hour, record, rows_found, train_found
from artefacts.shop_logs import Shop

from polyrank.errors import DataError, OutputError, RepositoryError
from polyrank.loop import Cycle, History, Loop
from polyrank.loop.cycles import STEPS
from polyrank.loop.findings import DriftFound, RowsFound, TrainFound
from polyrank.loop.locking import alone, holder
from polyrank.loop.records import Record, Trouble, Wait, fingerprint_of
from polyrank.loop.status import status_lines, status_of, status_rows
from polyrank.loop.steps import steps
from polyrank.loop.tidying import tidy


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return Loop.load(Shop.open(tmp_path).settings)


def test_steps_are_those_of_records_in_their_order() -> None:
    assert tuple(step.name for step in steps()) == STEPS


def test_first_step_of_the_first_cycle_is_next(loop: Loop) -> None:
    cycle = History.read(loop).current(loop)
    assert (cycle.number, cycle.next_step) == (1, "rows")


def test_step_is_done_when_its_record_is_there(loop: Loop) -> None:
    record(Cycle(loop, 1), rows_found(4), DriftFound(outcome="passed"))
    cycle = History.read(loop).current(loop)
    assert (cycle.number, cycle.next_step) == (1, "train")
    assert cycle.found(RowsFound) == rows_found(4)


def test_cycle_that_a_step_ends_is_over(loop: Loop) -> None:
    cycle = record(Cycle(loop, 1), rows_found(4), DriftFound(outcome="stopped", ends=True))
    assert cycle.is_over
    assert cycle.next_step is None
    assert History.read(loop).current(loop).number == 2


def test_record_after_a_missing_one_does_not_count(loop: Loop) -> None:
    cycle = record(Cycle(loop, 1), rows_found(4), DriftFound(outcome="passed"), train_found())
    cycle.file("drift").unlink()
    assert History.read(loop).current(loop).next_step == "drift"


def test_what_a_step_found_is_asked_for_by_its_kind(loop: Loop) -> None:
    cycle = record(Cycle(loop, 1), rows_found(4))
    assert cycle.find(TrainFound) is None
    with pytest.raises(LookupError, match="cycle 1 has no TrainFound"):
        cycle.found(TrainFound)


def test_record_reads_as_it_was_written(loop: Loop) -> None:
    cycle = record(Cycle(loop, 3), rows_found(4, since=1))
    written = Record.load(cycle.file("rows"))
    assert (written.cycle, written.step, written.found) == (3, "rows", rows_found(4, since=1))
    assert cycle.file("rows").name == "01-rows.json"
    assert json.loads(cycle.file("rows").read_bytes())["found"]["step"] == "rows"


def test_damaged_record_is_named(loop: Loop) -> None:
    cycle = record(Cycle(loop, 1), rows_found(4))
    cycle.file("rows").write_text("{")
    with pytest.raises(DataError, match=r"01-rows\.json is no record of a step: .*; put it back from a copy, or"):
        History.read(loop)


@pytest.mark.parametrize("suffix", [".waits", ".failed"])
def test_damaged_note_is_left_out(suffix: str, loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    cycle = Cycle(loop, 1)
    cycle.folder.mkdir(parents=True)
    cycle.file("rows", suffix).write_text("{")
    status = status_of(loop)
    assert (status.waits_for, status.failed) == (None, None)
    assert "; left out" in caplog.text


def test_history_knows_runs_and_ends(loop: Loop) -> None:
    first = record(Cycle(loop, 1), rows_found(4), DriftFound(outcome="passed"), train_found("a"))
    second = record(Cycle(loop, 2), rows_found(8), DriftFound(outcome="stopped", ends=True))
    history = History.read(loop)
    assert history.ends() == [hour(3.5), hour(7.5)]
    assert history.of_run("a") == first
    assert history.of_run("b") is None
    assert history.of_run(None) is None
    assert history.last_with(TrainFound) == first
    assert list(history.before(second).cycles) == [first]


def test_fingerprint_is_of_names_and_contents(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(file.name)
    found = fingerprint_of("rows", files)
    assert (found.path, found.files, found.size_bytes) == ("rows", 2, 2)
    assert fingerprint_of("rows", files[::-1]) == found
    files[0].write_text("c")
    assert fingerprint_of("rows", files).sha256 != found.sha256


def test_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none cannot be read: no such file or directory"):
        fingerprint_of("rows", [tmp_path / "none"])


def test_second_loop_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with (
        alone(tmp_path),
        pytest.raises(
            OutputError, match=rf"process {os.getpid()} on \S+, since \S+Z, runs the loop in {tmp_path}; wait"
        ),
        alone(tmp_path),
    ):
        pass


def test_folder_is_free_when_the_holder_ends(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with alone(tmp_path):
        assert str(holder(tmp_path)).startswith(f"process {os.getpid()} on ")
    assert holder(tmp_path) is None
    with alone(tmp_path):
        pass


def test_dead_process_holds_nothing(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from polyrank.loop.locking import alone\n"
        "with alone(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -9
    with alone(tmp_path):
        pass


def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"cannot write \S+/file/loop: not a directory; see \$\.loop\.folder"),
        alone(tmp_path / "file" / "loop"),
    ):
        pass


def test_status_of_a_loop_that_never_ran_says_what_is_next(loop: Loop) -> None:
    assert status_lines(status_of(loop)) == ["live    nothing", "next    cycle 1 rows"]


def test_status_has_a_row_for_each_cycle(loop: Loop) -> None:
    record(Cycle(loop, 1), rows_found(4), DriftFound(outcome="stopped", ends=True))
    second = record(Cycle(loop, 2), rows_found(8))
    Trouble(attempts=2, reason="no room", first="a", last="b").save(second.file("drift", ".failed"))
    status = status_of(loop)
    assert status_rows(status)[1:] == [
        ("1", "joined", "stopped", *["-"] * 7),
        ("2", "joined", "failed", *["-"] * 7),
    ]
    with alone(loop.folder):
        lines = status_lines(status_of(loop))
    assert lines[:3] == ["live    nothing", "next    cycle 2 drift", "failed  no room"]
    assert lines[3].startswith(f"runs    process {os.getpid()} on ")


@pytest.mark.parametrize(("looked", "line"), [("2", "waits   for rows"), ("0", "failed  no room")])
def test_newer_of_failing_and_waiting_is_how_it_stands(loop: Loop, looked: str, line: str) -> None:
    cycle = record(Cycle(loop, 1), rows_found(4))
    Trouble(attempts=1, reason="no room", first="1", last="1").save(cycle.file("drift", ".failed"))
    Wait(reason="rows", looked=looked).save(cycle.file("drift", ".waits"))
    assert status_lines(status_of(loop))[2:] == [line]


def test_old_cycles_lose_what_nobody_needs(tmp_path: Path) -> None:
    text = Shop.open(tmp_path).settings.read_text() + "\n[loop]\nkeep_cycles = 2\n"
    loop = Loop.load(Shop.open(tmp_path, text).settings)
    for number in range(1, 5):
        found = (rows_found(number), DriftFound(outcome="stopped", ends=number > 2))
        cycle = record(Cycle(loop, number), *found, *([train_found()] if number <= 2 else []))
        for folder in (cycle.rows, cycle.run, cycle.bundle):
            folder.mkdir()
    tidy(loop)
    left = {
        number: [each.name for each in (cycle.rows, cycle.run, cycle.bundle) if each.is_dir()]
        for number, cycle in enumerate(History.read(loop).cycles, 1)
    }
    everything = ["rows", "run", "bundle"]
    assert left == {1: [], 2: ["rows"], 3: everything, 4: everything}


def test_nothing_is_removed_unless_settings_say_so(loop: Loop) -> None:
    cycle = record(Cycle(loop, 1), rows_found(1), DriftFound(outcome="stopped", ends=True))
    record(Cycle(loop, 2), rows_found(2))
    record(Cycle(loop, 3), rows_found(3))
    cycle.rows.mkdir()
    tidy(loop)
    assert cycle.rows.is_dir()


def test_a_repository_that_is_damaged_keeps_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Shop.open(tmp_path).settings.read_text() + "\n[loop]\nkeep_cycles = 2\n"
    loop = Loop.load(Shop.open(tmp_path, text).settings)
    for number in range(1, 4):
        record(Cycle(loop, number), rows_found(number), DriftFound(outcome="stopped", ends=True)).run.mkdir()

    def damaged(_loop: Loop) -> None:
        raise RepositoryError("damaged")

    monkeypatch.setattr("polyrank.loop.tidying.versions_of", damaged)
    tidy(loop)
    assert all(cycle.run.is_dir() for cycle in History.read(loop).cycles)
