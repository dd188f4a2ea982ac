"""Standard output that cannot be written: an end with few words, whatever the command prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyrank.commands.progress import RowProgress

COMMANDS = {
    "help": "--help",
    "help of a verb": "fingerprint --help",
    "version": "--version",
    "SQL": "fingerprint --sql spark --column user_id:int64",
    "summary": "--quiet fingerprint rows.csv --out out.parquet --column user_id:int64",
    "summary as JSON": "--quiet fingerprint rows.csv --out out.parquet --column user_id:int64 --json",
}
REDIRECTED = {
    "full": (
        "{} > /dev/full; echo $? >&2",
        "polyrank: cannot write to standard output: no space left on device; send it to where there is room\n1\n",
    ),
    "pipe whose reader has left": ("(sleep 0.1; {}; echo $? >&2) | true", "141\n"),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("user_id\n46\n")
    return tmp_path


def errors(place: Path, script: str, **environment: str) -> str:
    """Run a script, in which {} stands for the program, and return what it and its `echo` say on standard error."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=place, env=clean | environment, capture_output=True, text=True, check=False
    )
    return done.stderr


def polyrank(arguments: str) -> str:
    return f"{sys.executable} -m polyrank {arguments}"


@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(("script", "said"), REDIRECTED.values(), ids=REDIRECTED)
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_output_that_cannot_be_written_ends_the_command(
    place: Path, arguments: str, script: str, said: str, environment: dict[str, str]
) -> None:
    assert errors(place, script.format(polyrank(arguments)), **environment) == said


@pytest.mark.parametrize("arguments", [COMMANDS["SQL"], COMMANDS["summary"]], ids=["SQL", "summary"])
def test_closed_output_is_one_line(place: Path, arguments: str) -> None:
    said = errors(place, f"{polyrank(arguments)} >&-; echo $? >&2")
    assert said == "polyrank: cannot write to standard output: it is closed; send it to a file or a terminal\n1\n"


def test_output_without_a_character_is_one_line(place: Path) -> None:
    sql = polyrank("fingerprint --sql spark --column straße:text")
    said = errors(place, f"{sql}; echo $? >&2", PYTHONIOENCODING="ascii")
    assert said == "polyrank: cannot write '\\xdf' to standard output in ascii; set PYTHONUTF8=1\n1\n"


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full"])
def test_errors_that_nobody_reads_change_nothing(place: Path, redirect: str) -> None:
    done = f"{polyrank(COMMANDS['summary'])} {redirect} && echo done >&2"
    failed = f"{polyrank('fingerprint absent.csv --out x --column a:text')} {redirect} || echo $? >&2"
    assert errors(place, f"{done}; {failed}") == "done\n1\n"


def test_progress_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr("sys.stderr", full)
        progress = RowProgress("rows.csv")
        progress(10, 20)
        progress.close()
