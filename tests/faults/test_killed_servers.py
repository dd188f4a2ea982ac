"""Triton and the workers of its models are killed at random moments under load, and clients go on with right scores."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.client_load import Seen, scoring
from artefacts.processes import private_folder, remains, wait_until, workers
from artefacts.served import load_scores
from numpy.typing import NDArray

from polyrank.serving import Server, ServerConfig, serve


@pytest.fixture(scope="module")
def repository(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("servers")
    shutil.copytree(served / "repository" / "toy", folder / "toy")
    return folder


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    with serve(repository) as running:
        yield running


@pytest.fixture(scope="module")
def rows(served: Path) -> pa.Table:
    return pq.read_table(served / "rows.parquet")


@pytest.fixture(scope="module")
def expected(served: Path) -> NDArray[np.float32]:
    """Give what PyTorch answers for `click`, float32 [B]."""
    return load_scores(served / "scores.npz")["click"]


def goes_on(seen: Seen) -> bool:
    """Say whether further calls are answered, which is so when each client has had three more."""
    before = list(seen.answered)
    return wait_until(lambda: all(now >= then + 3 for now, then in zip(seen.answered, before, strict=True)), 60.0)


def assert_right(seen: Seen, expected: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(seen.answers, np.tile(expected, (len(seen.scores), 1)), atol=1e-5)


@pytest.mark.faults(
    fault="SIGKILL of Triton under load", promise="no call fails, no score is wrong, nothing is left behind", rounds=25
)
def test_killed_triton_comes_back(
    chance: random.Random, repository: Path, rows: pa.Table, expected: NDArray[np.float32]
) -> None:
    with serve(repository, config=ServerConfig(restarts=3)) as server:
        folder, before = private_folder(server.pid), server.pid
        with scoring(server.url, rows) as seen:
            time.sleep(chance.uniform(0.0, 0.5))
            os.kill(before, signal.SIGKILL)
            assert wait_until(lambda: server.pid != before)
            assert goes_on(seen)
    assert seen.refusals == []
    assert_right(seen, expected)
    assert remains(folder) == []


@pytest.mark.faults(
    fault="SIGKILL of a model's worker under load", promise="it is made anew, and no score is wrong", rounds=25
)
def test_killed_worker_is_made_anew(
    chance: random.Random, server: Server, rows: pa.Table, expected: NDArray[np.float32]
) -> None:
    before = workers(server, "toy")
    with scoring(server.url, rows) as seen:
        time.sleep(chance.uniform(0.0, 0.5))
        os.kill(chance.choice(before), signal.SIGKILL)
        assert wait_until(lambda: len(set(workers(server, "toy")) - set(before)) >= 1)
        assert goes_on(seen)
    assert_right(seen, expected)
    assert server.is_alive
