"""Ports that others have, and two servers that want the same."""

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from artefacts.refused import refusal
from artefacts.served import load_scores

from polyrank.serving import Ranker, Server, ServerConfig, serve
from polyrank.serving.ports import Ports, choose_ports

HOST = "127.0.0.1"


@pytest.mark.faults(fault="port that another process has", promise="one line that names the port", rounds=10)
def test_taken_port_is_named(chance: random.Random, served: Path) -> None:
    name = chance.choice(["http", "grpc", "metrics"])
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        config = ServerConfig(**{f"{name}_port": port})
        line = refusal(lambda: serve(served / "repository", models=["toy"], config=config))
    assert line is not None
    assert line.startswith(f"{name} port {port} on {HOST} cannot be used (address already in use); ")


@pytest.mark.faults(
    fault="two servers started for the same ports", promise="one serves the right scores, the other says why", rounds=8
)
def test_of_two_servers_one_has_the_ports(chance: random.Random, served: Path) -> None:
    ports = choose_ports(HOST, Ports(http=0, grpc=0, metrics=0))
    config = ServerConfig(http_port=ports.http, grpc_port=ports.grpc, metrics_port=ports.metrics)
    started: list[Server] = []

    def start(wait_s: float) -> str | None:
        time.sleep(wait_s)
        return refusal(lambda: started.append(serve(served / "repository", models=["toy"], config=config)))

    with ThreadPoolExecutor(2) as pool, ExitStack() as stack:
        lines = list(pool.map(start, [0.0, chance.uniform(0.0, 0.5)]))
        for server in started:
            stack.enter_context(server)
        assert len(started) == 1
        assert ["in use" in line for line in lines if line is not None] == [True]
        with Ranker(started[0].url, "toy") as ranker:
            found = ranker.score(pq.read_table(served / "rows.parquet"))["click"].to_numpy()
    np.testing.assert_allclose(found, load_scores(served / "scores.npz")["click"], atol=1e-5)
