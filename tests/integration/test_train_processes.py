"""Two processes of torchrun train one run, and end together however they end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from safetensors.numpy import load_file
from torch._C._distributed_c10d import TCPStore
from toy import TOY_TOML, toy_table

from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit

TOML = TOY_TOML.replace('time = "time_ms"\n', 'time = "time_ms"\ngroup = "user_id"\nsample_weight = "heaviness"\n')
QUICK = "batch_size = 130\nmemory_mb = 1\n"
RESUMED = """
epochs = 6
batch_size = 130
memory_mb = 1
threads = 1

[model]
dropout = 0.2

[rare_ids]
dropout = 0.1

[checkpoint]
every_steps = 5
"""
ENDLESS = "epochs = 100_000\nbatch_size = 256\n"
TRAIN = ["-m", "polyrank", "train", "logs.parquet", "--schema", "schema.toml", "--config", "train.toml", "--out", "run"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
INPUTS = ["cache", "logs.parquet", "schema.toml", "train.toml"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "schema.toml").write_text(TOML)
    (tmp_path / "train.toml").write_text(QUICK)
    (tmp_path / "cache").mkdir()
    rows = toy_table(3_000)
    weights = np.random.default_rng(0).uniform(0.0, 3.0, rows.num_rows)
    pq.write_table(rows.append_column("heaviness", [weights]), tmp_path / "logs.parquet")
    return tmp_path


def environment(place: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "POLYRANK_CACHE_DIR": str(place / "cache"), **more}


def new_store() -> TCPStore:
    """Return what the agent of torchrun keeps for its ranks: of each time that they start."""
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


@pytest.fixture
def store() -> TCPStore:
    return new_store()


def start_ranks(place: Path, store: TCPStore, *arguments: list[str]) -> "list[subprocess.Popen[str]]":
    """Start a rank with each of the arguments, as torchrun does; here each has a standard error of its own."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    shared = {**address, "WORLD_SIZE": str(len(arguments))}
    return [
        subprocess.Popen(
            [sys.executable, *own],
            cwd=place,
            env=environment(place, **shared, RANK=str(rank), LOCAL_RANK=str(rank)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, own in enumerate(arguments)
    ]


def outcomes(processes: "list[subprocess.Popen[str]]") -> list[tuple[int, list[str]]]:
    """Return the exit status and our lines of each."""
    ended = [(process.communicate(timeout=100), process.returncode) for process in processes]
    return [(code, [line for line in err.splitlines() if line.startswith("polyrank:")]) for (_, err), code in ended]


def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + 60.0
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_training(place: Path) -> None:
    deadline = time.monotonic() + 60.0
    while not list(place.glob("cache/encoded/*.arrow")) or not list(place.glob(".run.*.partial")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(1.0)


def assert_only_inputs_are_left(place: Path) -> None:
    assert sorted(path.name for path in place.iterdir()) == INPUTS


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in numbers(value[key])]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [np.nan if value is None else float(value)] if not isinstance(value, str) else []


def test_two_ranks_give_the_run_of_one(place: Path) -> None:
    done = subprocess.run(
        [*TORCHRUN, *TRAIN], cwd=place, env=environment(place), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    config = TrainConfig.load(place / "train.toml")
    fit(Schema.from_toml(TOML), place / "logs.parquet", out=place / "one", config=config, progress=False)
    assert done.stdout.count("run ") == 1
    assert done.stderr.count("epoch 1 of at most 5: click auc") == 1
    found, expected = (load_file(place / run / "weights.safetensors") for run in ("run", "one"))
    assert found.keys() == expected.keys()
    # 21 steps, in which sums of other parts round otherwise: some 1e-7 of a gradient each, of which Adam makes more
    # where a gradient is small. Without the exchange of any of the parts weights differ by 1e-2 and more.
    for name, weights in expected.items():
        assert_allclose(found[name], weights, rtol=1e-4, atol=1e-5, err_msg=name)
    reports = [json.loads((place / run / "metrics.json").read_text()) for run in ("run", "one")]
    for report in reports:
        report.pop("run_id")
    assert_allclose(numbers(reports[0]), numbers(reports[1]), rtol=1e-3, atol=1e-5)


def test_killed_ranks_go_on_to_the_same_weights(place: Path, store: TCPStore) -> None:
    (place / "train.toml").write_text(RESUMED)
    whole = outcomes(start_ranks(place, store, TRAIN, TRAIN))
    assert [code for code, _ in whole] == [0, 0]
    (place / "run").rename(place / "whole")
    second = new_store()
    ranks = start_ranks(place, second, TRAIN, TRAIN)
    wait_for_file(place / "run.checkpoint")
    for process in ranks:
        process.kill()
        process.wait()
    assert not (place / "run").exists()
    third = new_store()
    resumed = start_ranks(place, third, [*TRAIN, "--resume"], [*TRAIN, "--resume"])
    said = [process.communicate(timeout=100)[1] for process in resumed]
    assert [process.returncode for process in resumed] == [0, 0], said
    assert ["training goes on from run.checkpoint" in text for text in said] == [True, False]
    found, expected = ((place / run / "weights.safetensors").read_bytes() for run in ("run", "whole"))
    assert found == expected
    assert not (place / "run.checkpoint").exists()


@pytest.mark.slow
def test_rank_without_the_checkpoint_ends_both(place: Path, store: TCPStore) -> None:
    (place / "train.toml").write_text(RESUMED)
    ranks = start_ranks(place, store, TRAIN, TRAIN)
    wait_for_file(place / "run.checkpoint")
    for process in ranks:
        process.kill()
        process.wait()
    second = new_store()
    elsewhere = ["elsewhere" if word == "run" else word for word in TRAIN]
    ended = outcomes(start_ranks(place, second, [*TRAIN, "--resume"], [*elsewhere, "--resume"]))
    assert [code for code, _ in ended] == [1, 1]
    assert "polyrank: checkpoints of rank 1 differ from those of rank 0; give all ranks the same" in [
        line for _, lines in ended for line in lines
    ]


def test_signal_to_all_ranks_is_one_line_and_leaves_nothing(place: Path, store: TCPStore) -> None:
    (place / "train.toml").write_text(ENDLESS)
    ranks = start_ranks(place, store, TRAIN, TRAIN)
    wait_for_training(place)
    for process in ranks:
        process.send_signal(signal.SIGINT)
    ended = outcomes(ranks)
    assert all(code in (1, 130) for code, _ in ended), ended
    assert [line for _, lines in ended for line in lines] == ["polyrank: interrupted"]
    assert_only_inputs_are_left(place)


@pytest.mark.parametrize("killed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_rank_that_is_killed_ends_the_other(place: Path, store: TCPStore, killed: int) -> None:
    (place / "train.toml").write_text(ENDLESS)
    ranks = start_ranks(place, store, TRAIN, TRAIN)
    wait_for_training(place)
    ranks[killed].kill()
    ended = outcomes(ranks)
    code, lines = ended[1 - killed]
    assert (code, ended[killed]) == (1, (-signal.SIGKILL, []))
    assert lines == [
        "polyrank: another rank ended without a word, as one does that is killed; look at what torchrun says of it"
    ]
    assert not (place / "run").exists()


def test_error_of_all_ranks_is_one_line(place: Path, store: TCPStore) -> None:
    (place / "train.toml").write_text("batch_size = 3\n")
    ended = outcomes(start_ranks(place, store, TRAIN, TRAIN))
    assert [code for code, _ in ended] == [1, 1]
    (line,) = [line for _, lines in ended for line in lines]
    assert line.startswith("polyrank: $.batch_size is that of all processes together, and must be 4 or above for 2")
    assert_only_inputs_are_left(place)


def test_rank_of_another_configuration_ends_both(place: Path, store: TCPStore) -> None:
    (place / "other.toml").write_text("batch_size = 128\n")
    other = ["other.toml" if word == "train.toml" else word for word in TRAIN]
    ended = outcomes(start_ranks(place, store, TRAIN, other))
    assert [code for code, _ in ended] == [1, 1]
    assert [line for _, lines in ended for line in lines] == [
        "polyrank: config of rank 1 differ from those of rank 0; give all ranks the same"
    ]
    assert not list(place.glob("*run*"))


@pytest.mark.slow
def test_rank_of_other_rows_ends_both(place: Path, store: TCPStore) -> None:
    rows = pq.read_table(place / "logs.parquet")
    pq.write_table(rows.take(np.roll(np.arange(len(rows)), 7)), place / "other.parquet")
    other = ["other.parquet" if word == "logs.parquet" else word for word in TRAIN]
    ended = outcomes(start_ranks(place, store, TRAIN, other))
    assert [code for code, _ in ended] == [1, 1]
    assert [line for _, lines in ended for line in lines] == [
        "polyrank: data of rank 1 differ from those of rank 0; give all ranks the same"
    ]


@pytest.mark.slow
def test_damaged_cache_is_made_anew_by_all(place: Path, store: TCPStore) -> None:
    first = outcomes(start_ranks(place, store, TRAIN, TRAIN))
    (cached,) = place.glob("cache/encoded/*.arrow")
    damaged = bytearray(cached.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    cached.write_bytes(damaged)
    second = new_store()
    again = outcomes(start_ranks(place, second, [*TRAIN[:-1], "again"], [*TRAIN[:-1], "again"]))
    assert [code for code, _ in first + again] == [0, 0, 0, 0]
    found, expected = ((place / run / "weights.safetensors").read_bytes() for run in ("again", "run"))
    assert found == expected
