"""Networks between client and Triton that are slow, break, or carry nothing."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.client_load import PATIENT
from artefacts.faulty_network import FaultyNetwork
from artefacts.served import load_scores

from polyrank.errors import DeadlineExceededError, ServerUnavailableError
from polyrank.serving import Ranker, Server, ServerConfig, serve


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[Server]:
    # Triton 2.51 may end by SIGSEGV where a gRPC connection breaks (docs/serving.md), and is started again.
    with serve(served / "repository", models=["toy"], config=ServerConfig(restarts=100)) as running:
        yield running


@pytest.fixture(scope="module")
def rows(served: Path) -> pa.Table:
    return pq.read_table(served / "rows.parquet")


def way_to(server: Server, chance: random.Random) -> tuple[str, int]:
    """Draw a protocol, and return it with its port."""
    if chance.random() < 0.5:
        return "grpc", int(server.grpc_url.rpartition(":")[2])
    return "http", urlsplit(server.url).port or 0


def patient(url: str) -> Ranker:
    """Return a client with two minutes for each call, made again until Triton answers it: it may be starting again."""
    while True:
        with suppress(ServerUnavailableError):
            return Ranker(url, "toy", timeout_s=120.0, options=PATIENT)


def assert_right(ranker: Ranker, rows: pa.Table, served: Path) -> None:
    """Score random pieces of rows, each of several requests."""
    expected = load_scores(served / "scores.npz")["click"]
    for start in (0, 100, 37):
        found = ranker.score(rows[start:])["click"].to_numpy()
        np.testing.assert_allclose(found, expected[start:], atol=1e-5)


@pytest.mark.faults(
    fault="network that breaks at random bytes",
    promise="calls go on until they are answered; no wrong score",
    rounds=30,
)
def test_broken_connections_are_made_again(
    chance: random.Random, strikes: Callable[[bool], None], server: Server, rows: pa.Table, served: Path
) -> None:
    scheme, port = way_to(server, chance)
    network = FaultyNetwork(port, chance, break_after=chance.randint(30_000, 100_000))
    with network.listening() as near, patient(f"{scheme}://127.0.0.1:{near}") as ranker:
        assert_right(ranker, rows, served)
    strikes(network.broken > 0)


@pytest.mark.faults(fault="slow network", promise="no wrong score", rounds=10)
def test_slow_network_only_takes_time(chance: random.Random, server: Server, rows: pa.Table, served: Path) -> None:
    scheme, port = way_to(server, chance)
    network = FaultyNetwork(port, chance, delay_s=chance.uniform(0.0, 0.05))
    with network.listening() as near, Ranker(f"{scheme}://127.0.0.1:{near}", "toy", timeout_s=60.0) as ranker:
        assert_right(ranker, rows, served)


@pytest.mark.faults(fault="network that stands still", promise="a call ends at its deadline", rounds=10)
def test_call_ends_at_its_deadline(chance: random.Random, server: Server, rows: pa.Table, served: Path) -> None:
    scheme, port = way_to(server, chance)
    network = FaultyNetwork(port, chance)
    deadline_s = chance.uniform(0.1, 0.5)
    with network.listening() as near, Ranker(f"{scheme}://127.0.0.1:{near}", "toy") as ranker:
        assert_right(ranker, rows, served)
        network.delay_s = 1e9  # of which hardly any draw is below a minute
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            ranker.score(rows, timeout_s=deadline_s)
        assert -0.05 < time.monotonic() - began - deadline_s < 2.0
