"""Benchmarks in processes of their own; what each found is kept in a file until the pages hold it."""

import datetime as dt
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from contests import report

from polyrank.staging import staged_file

from .catalogue import Benchmark
from .pages import ROOT
from .tables import Lines, tables_of

_CODE = ("*.py", "*.toml", "*.cpp", "*.hpp", "*.txt", ":!docs")
"""Files that a benchmark may run or read, although they are not committed."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when figures were measured; `load` is that of the minute before."""

    cpu: str
    cores: int
    load: float
    date: str

    def said(self) -> str:
        """Say it in a line, as `comparing.measured_on` reads it."""
        return f"Measured on {self.cpu}, {self.cores} cores, load {self.load:.1f}, {self.date}."


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark found.

    Attributes:
        command: its words.
        sources: a digest of the code as it was at the start.
        machine: where and when.
        seconds: that it took.
        tables: that it printed.
        spreads: how far apart the rounds of a row were, as a share of their median, where it says so.
    """

    command: tuple[str, ...]
    sources: str
    machine: Machine
    seconds: float
    tables: list[Lines]
    spreads: dict[str, float]


class FailedError(Exception):
    """A benchmark did not end well; the text has its last line, and where the others are."""


def run(benchmark: Benchmark, command: tuple[str, ...], files: Mapping[str, Path]) -> Outcome:
    """Run a benchmark.

    Args:
        benchmark: whose variables it runs with.
        command: words behind `python`.
        files: what it may write: `json`, its figures, and `log`, what it tells while it runs.

    Raises:
        FailedError: it did not end well.
    """
    found, code, start = _machine(), sources(), time.monotonic()
    environment = os.environ | benchmark.environment
    with files["log"].open("w") as log:
        process = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            check=False,
        )
    if process.returncode != 0:
        lines = files["log"].read_text().strip().splitlines() or [f"exit status {process.returncode}"]
        raise FailedError(f"{benchmark.name} failed: {lines[-1]}; {files['log']} has what it told before")
    return Outcome(
        command=command,
        sources=code,
        machine=found,
        seconds=time.monotonic() - start,
        tables=tables_of(process.stdout),
        spreads=_spreads(files["json"]),
    )


def refuse_edited(benchmark: Benchmark, outcome: Outcome) -> None:
    """See to it that all that was measured was one code.

    Raises:
        FailedError: files were edited while it ran.
    """
    if sources() != outcome.sources:
        raise FailedError(f"{benchmark.name}: code was edited while it ran; run it again, and edit when it has ended")


def keep(file: Path, outcome: Outcome) -> None:
    """Write what was found, whole."""
    with staged_file(file) as staged:
        staged.write_bytes(msgspec.json.encode(outcome))


def kept(file: Path, command: tuple[str, ...]) -> Outcome | None:
    """Return what an earlier run has found, if it was of this command, this code and this kind of processor."""
    try:
        outcome = msgspec.json.decode(file.read_bytes(), type=Outcome)
    except (OSError, msgspec.DecodeError):
        return None
    now = command, sources(), report.cpu_model()
    return outcome if outcome.sources and (outcome.command, outcome.sources, outcome.machine.cpu) == now else None


def sources() -> str:
    """Return a digest of all files outside docs as they are, of new ones those of code; empty where there is no git.

    Commits change nothing of it by themselves: what was measured before is kept when only its pages are committed.
    """
    try:
        names = _listed("--cached", "--", ".", ":!docs") | _listed("--others", "--exclude-standard", "--", *_CODE)
    except (OSError, subprocess.CalledProcessError):
        return ""
    digest = hashlib.sha256()
    for name in sorted(names):
        if (file := ROOT / name).is_file():
            digest.update(os.fsencode(name) + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _listed(*words: str) -> set[str]:
    found = subprocess.run(["git", "ls-files", "-z", *words], cwd=ROOT, capture_output=True, check=True)  # noqa: S607
    return {os.fsdecode(name) for name in found.stdout.split(b"\0") if name}


def _machine() -> Machine:
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    return Machine(cpu=report.cpu_model(), cores=cores, load=load, date=today)


def _spreads(file: Path) -> dict[str, float]:
    if not file.exists():
        return {}
    rows = msgspec.json.decode(file.read_bytes()).get("rows", ())
    return {row["workload"]: row["spread"] for row in rows if row.get("spread") is not None}
