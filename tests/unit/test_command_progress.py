"""The progress of commands over rows: when it is said, and how."""

import os

import pytest

from polyrank.commands.progress import RowProgress

Capture = pytest.CaptureFixture[str]


def test_progress_is_said_after_two_seconds_only(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.9, 2.5, 3.0, 12.6])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = RowProgress("rows.parquet")
    for done in (10, 20, 30, 40):
        progress(done, 40 if done < 40 else None)
    assert capsys.readouterr().err == ("rows.parquet: 20 of 40 rows (50%), 8 rows/s\nrows.parquet: 40 rows, 3 rows/s\n")


def test_quiet_progress_says_nothing(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    RowProgress("rows.parquet", quiet=True)(10, 20)
    assert capsys.readouterr().err == ""


def read_terminal(master: int, *, until: str) -> str:
    """Read what a terminal shows; the kernel hands it over in pieces."""
    said = ""
    while not said.endswith(until):
        said += os.read(master, 4096).decode()
    return said


def test_progress_on_a_terminal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = os.openpty()
    clock = iter([0.0, 2.5, 2.6, 3.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        progress = RowProgress("rows.parquet")
        for done in (10, 15, 20):
            progress(done, 20)
        progress.close()
        said = read_terminal(master, until="\n")
    os.close(master)
    assert (
        said
        == "\rrows.parquet: 10 of 20 rows (50%), 4 rows/s\x1b[K\rrows.parquet: 20 of 20 rows (100%), 7 rows/s\x1b[K\r\n"
    )
