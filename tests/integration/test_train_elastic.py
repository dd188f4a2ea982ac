"""A torchrun that starts its ranks again, after one was killed, comes to the weights of a training left alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

TRAIN = ["-m", "polyrank", "train", "logs.parquet", "--schema", "schema.toml", "--config", "train.toml", "--out", "run"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
CONFIG = """
epochs = 6
batch_size = 60
memory_mb = 1
threads = 1

[model]
dropout = 0.2

[checkpoint]
"""
OFTEN = CONFIG + "every_steps = 5\n"
NEVER = CONFIG + "every_minutes = 1000\n"


def filled(place: Path, config: str) -> Path:
    (place / "schema.toml").write_text(TOY_TOML)
    (place / "train.toml").write_text(config)
    pq.write_table(toy_table(3_000), place / "logs.parquet")
    return place


def start(place: Path, *options: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLYRANK_CACHE_DIR": str(place / "cache")}
    command = [*TORCHRUN, *options, *TRAIN]
    return subprocess.Popen(command, cwd=place, env=environment, stderr=subprocess.PIPE, text=True)


def finish(torchrun: "subprocess.Popen[str]") -> str:
    """Return what a torchrun and its ranks complained of."""
    try:
        return torchrun.communicate(timeout=200)[1]
    finally:
        if torchrun.poll() is None:
            kill_all(torchrun)


def kill_all(torchrun: "subprocess.Popen[str]") -> None:
    """Kill a torchrun and its ranks, which have sessions of their own, as a machine that is lost does."""
    ranks = rank_pids(torchrun)
    for pid in (torchrun.pid, *ranks):
        os.kill(pid, signal.SIGKILL)


def rank_pids(torchrun: "subprocess.Popen[str]") -> list[int]:
    """Return the processes of the ranks that live, by rank: torchrun starts them in that order."""
    children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
    return sorted(int(pid) for pid in children if "\0RANK=" in Path(f"/proc/{pid}/environ").read_text())


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 100.0
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def weights(place: Path) -> bytes:
    return (place / "run" / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the weights of two ranks that nothing interrupts."""
    place = filled(tmp_path_factory.mktemp("whole"), OFTEN)
    torchrun = start(place, "--nproc-per-node", "2")
    said = finish(torchrun)
    assert torchrun.returncode == 0, said
    return weights(place)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_go_on_by_themselves_after_one_is_killed(tmp_path: Path, whole: bytes, rank: int) -> None:
    place = filled(tmp_path, OFTEN)
    torchrun = start(place, "--nproc-per-node", "2", "--max-restarts", "3")
    wait_until((place / "run.checkpoint").exists)
    os.kill(rank_pids(torchrun)[rank], signal.SIGKILL)
    said = finish(torchrun)
    assert torchrun.returncode == 0, said
    assert said.count("training goes on from run.checkpoint") == 1
    assert weights(place) == whole
    assert sorted(path.name for path in place.iterdir()) == [
        "cache",
        "logs.parquet",
        "run",
        "schema.toml",
        "train.toml",
    ]


@pytest.mark.slow
def test_rank_killed_before_the_first_checkpoint_starts_all_over(tmp_path: Path, whole: bytes) -> None:
    place = filled(tmp_path, NEVER)
    torchrun = start(place, "--nproc-per-node", "2", "--max-restarts", "1")
    wait_until(lambda: list(place.glob("cache/encoded/*.arrow")) and list(place.glob(".run.*.partial")))
    os.kill(rank_pids(torchrun)[1], signal.SIGKILL)
    said = finish(torchrun)
    assert torchrun.returncode == 0, said
    assert "goes on from" not in said
    assert weights(place) == whole


@pytest.mark.slow
def test_machine_that_is_lost_leaves_the_rest_to_go_on(tmp_path: Path) -> None:
    place = filled(tmp_path, OFTEN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "job-17"]
    soon = ["--rdzv-conf", "last_call_timeout=20,keep_alive_interval=1"]
    options = ["--nnodes", "1:2", "--nproc-per-node", "1", "--max-restarts", "2", *where, *soon]
    staying = start(place, *options)  # it keeps the rendezvous, which cannot be lost
    wait_until(lambda: _answers(port))
    leaving = start(place, *options)
    wait_until((place / "run.checkpoint").exists)
    kill_all(leaving)
    leaving.communicate()
    said = finish(staying)
    assert staying.returncode == 0, said
    assert "training goes on from run.checkpoint" in said
    assert (place / "run" / "metrics.json").exists()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
