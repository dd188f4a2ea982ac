"""Whatever ends `polyrank fingerprint` early, the output is whole or what it was before."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.small_disks import remount
from pyarrow import csv

from polyrank.batch import fingerprint_file, parse_column
from polyrank.errors import OutputError

COMMAND = [sys.executable, "-m", "polyrank", "--quiet", "fingerprint", "rows.parquet", "--column", "user_id:int64"]
COLUMNS = [parse_column("user_id:int64")]
NUM_ROWS = 2_000_000

# Runs the command line, and kills its own process before or after one function of it.
KILLED = """
import importlib, os, signal, sys
from polyrank.__main__ import main

when, module, name, *arguments = sys.argv[1:]
owner = importlib.import_module(module)
original = getattr(owner, name)

def dying(*args, **kwargs):
    if when == "after":
        original(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dying)
main(arguments)
"""
# Ends itself while it writes, and once more while it cleans up.
SIGNALLED_TWICE = """
import os, shutil, signal, sys
from polyrank import batch, staging
from polyrank.__main__ import main

def end(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGTERM)

def remove(*args, rmtree=shutil.rmtree, **kwargs):
    end()
    rmtree(*args, **kwargs)

batch.file.hash_batch, shutil.rmtree = end, remove
sys.exit(main(sys.argv[1:]))
"""
POINTS = {
    "stage just made": ("before", "polyrank.batch.file", "_output_schema"),
    "first batch hashed": ("after", "polyrank.batch.file", "hash_batch"),
    "written, not flushed": ("before", "polyrank.staging", "flush"),
    "flushed, not renamed": ("after", "polyrank.staging", "flush"),
}


def write_rows(path: Path, count: int) -> None:
    pq.write_table(pa.table({"user_id": np.random.default_rng(0).integers(0, 2**62, count)}), path)


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, NUM_ROWS)
    return path


@pytest.fixture
def place(tmp_path: Path, many_rows: Path) -> Path:
    (tmp_path / "rows.parquet").symlink_to(many_rows)
    return tmp_path


def start(
    place: Path, out: str = "out.parquet", *, rows: str = "rows.parquet", prefix: Sequence[str] = ()
) -> "subprocess.Popen[str]":
    command = ["env", "--default-signal=HUP", *prefix, *COMMAND, "--out", out]  # which tests under nohup ignore
    command[command.index("rows.parquet")] = rows
    return subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def partials(place: Path) -> list[Path]:
    return sorted(place.glob(".out.parquet.*.partial"))


def wait_for_partials(place: Path, count: int) -> None:
    deadline = time.monotonic() + 60.0
    while len(partials(place)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def assert_old_until_the_next_run_sweeps(place: Path) -> None:
    assert (place / "out.parquet").read_text() == "old"
    assert len(partials(place)) == 1
    assert fingerprint_file(place / "rows.parquet", place / "out.parquet", COLUMNS).num_rows == NUM_ROWS
    assert names(place) == ["out.parquet", "rows.parquet"]


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_killed_run_leaves_the_old_file(place: Path, point: Sequence[str]) -> None:
    (place / "out.parquet").write_text("old")
    command = [sys.executable, "-c", KILLED, *point, *COMMAND[3:], "--out", "out.parquet"]
    done = subprocess.run(command, cwd=place, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert_old_until_the_next_run_sweeps(place)


@pytest.mark.parametrize("seed", range(3))
def test_run_killed_at_any_moment_leaves_the_old_file(place: Path, seed: int) -> None:
    (place / "out.parquet").write_text("old")
    with start(place) as process:
        wait_for_partials(place, 1)
        time.sleep(random.Random(seed).uniform(0.0, 0.1))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_old_until_the_next_run_sweeps(place)


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "stopped by SIGTERM"), (signal.SIGHUP, "stopped by SIGHUP")],
)
@pytest.mark.parametrize("rows", ["rows.parquet", "rows.csv"])
def test_interrupted_run_leaves_nothing(place: Path, rows: str, number: signal.Signals, line: str) -> None:
    if rows == "rows.csv":
        csv.write_csv(pq.read_table(place / "rows.parquet"), place / rows)
    before = names(place)
    with start(place, rows=rows) as process:
        wait_for_partials(place, 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "", f"polyrank: {line}\n")
    assert names(place) == before


def test_signal_that_is_ignored_stops_nothing(place: Path) -> None:
    with start(place, prefix=["nohup"]) as process:
        wait_for_partials(place, 1)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=60) == 0
    assert names(place) == ["out.parquet", "rows.parquet"]


def test_second_signal_does_not_stop_the_clean_up(place: Path) -> None:
    command = [sys.executable, "-c", SIGNALLED_TWICE, *COMMAND[3:], "--out", "out.parquet"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "polyrank: stopped by SIGTERM\n")
    assert names(place) == ["rows.parquet"]


def test_two_runs_at_once_write_one_whole_file(place: Path) -> None:
    processes = [start(place), start(place)]
    assert [(process.wait(timeout=120), *process.communicate()) for process in processes] == [
        (0, "out.parquet: 2,000,000 rows, 1 column of fingerprints\n", "")
    ] * 2
    assert pq.ParquetFile(place / "out.parquet").metadata.num_rows == NUM_ROWS
    assert names(place) == ["out.parquet", "rows.parquet"]


@pytest.mark.parametrize("small_disk", ["4k", "32k", "2m", "20m"], indirect=True)
def test_full_disk_is_one_line_and_leaves_nothing(place: Path, small_disk: Path) -> None:
    with start(place, str(small_disk / "out.parquet")) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"polyrank: cannot write {small_disk}/out.parquet: no space left on device; choose another")
    assert err.count("\n") == 1
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("small_disk", ["1m"], indirect=True)
def test_read_only_disk_is_one_line(place: Path, small_disk: Path) -> None:
    remount(small_disk, "ro")
    with pytest.raises(OutputError, match=r"^cannot write .*/disk/out.parquet: read-only file system; choose another"):
        fingerprint_file(place / "rows.parquet", small_disk / "out.parquet", COLUMNS)


def peak_bytes(arguments: Sequence[str], place: Path) -> int:
    """Return the peak of resident memory of the command line; getrusage would count what its parent held."""
    script = (
        "import sys; from polyrank.__main__ import main; main(sys.argv[1:]); print(open('/proc/self/status').read())"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
    return int(done.stdout.split("VmHWM:")[1].split()[0]) * 1024


def write_text(path: Path, megabytes: int) -> None:
    text = pa.table({"text": [f"{number:0104d}" for number in range(10_000)]})
    with path.open("wb") as file:
        if path.suffix == ".csv":
            file.write(b"text\n")
            lines = "".join(f"{line}\n" for line in text["text"].to_pylist()).encode()
            for _ in range(megabytes):
                file.write(lines)
        else:
            with pq.ParquetWriter(file, text.schema, use_dictionary=False) as writer:
                writer.write_table(pa.concat_tables([text] * megabytes))


@pytest.mark.parametrize("name", [pytest.param("rows.parquet", marks=pytest.mark.slow), "rows.csv"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    arguments = ["--quiet", "fingerprint", name, "--column", "text:text", "--out", "out.parquet"]
    peaks = []
    for megabytes in (100, 400):
        write_text(tmp_path / name, megabytes)
        peaks.append(peak_bytes(arguments, tmp_path))
    assert peaks[1] - peaks[0] < 100 * 2**20
