"""Minutes of load while versions are swapped, the server is killed, and a damaged version is published.

Every answer is compared with what ONNX Runtime says of the version that the answer names; every request has 2 s.
"""

import asyncio
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from polyrank.errors import PolyrankError
from polyrank.export import Bundle
from polyrank.serving import AsyncRanker, ClientOptions, LocalRanker, Server, ServerConfig, serve
from polyrank.serving.load_target import LoadOptions, load_target
from polyrank.serving.loadtest import arrivals, highest_rate

from . import model

ROWS, BLOCKS = 100, 50
TIMEOUT_S, TOLERANCE = 2.0, 1e-5
SHARE = 0.7
"""Of the highest rate with a p99 of 10 ms."""


@dataclasses.dataclass
class Found:
    """What became of all requests."""

    rate: float
    requests: int = 0
    wrong: int = 0
    lost: Counter[str] = dataclasses.field(default_factory=Counter)
    versions: Counter[str] = dataclasses.field(default_factory=Counter)
    latencies: list[float] = dataclasses.field(default_factory=list)
    events: list[str] = dataclasses.field(default_factory=list)


def measure(folder: Path, seconds: float, rate: float | None) -> Found:
    """Run it."""
    bundles = [model.make_bundle(folder / f"model{seed}", seed) for seed in range(4)]
    repository = folder / "models"
    model.publish_bundle(bundles[0], repository)
    rows = model.rows(ROWS * BLOCKS, 9)
    blocks = [rows.slice(start, ROWS) for start in range(0, len(rows), ROWS)]
    expected = {str(number + 1): _answers(bundle, blocks) for number, bundle in enumerate(bundles)}
    with serve(repository, config=ServerConfig(restarts=5)) as server:
        found = Found(rate or SHARE * _capacity(server, rows))
        asyncio.run(_run(server, found, blocks, expected, seconds, _disturbances(server, bundles, repository, found)))
    return found


def _answers(bundle: Bundle, blocks: list[pa.Table]) -> list[np.ndarray]:  # type: ignore[type-arg]
    with LocalRanker(bundle.path) as ranker:
        return [_matrix(ranker.score(block)) for block in blocks]


def _matrix(scores: pa.Table) -> np.ndarray:  # type: ignore[type-arg]
    return np.column_stack([column.to_numpy() for column in scores.columns])


def _capacity(server: Server, rows: pa.Table) -> float:
    options = LoadOptions(rows=ROWS, seconds=3.0)
    return highest_rate(load_target(server.url, model.NAME, rows, options), 10.0, options, lambda _load: None)[0]


def _disturbances(
    server: Server, bundles: list[Bundle], repository: Path, found: Found
) -> list[tuple[float, Callable[[], None]]]:
    """Return what happens, each at a share of the time."""

    def published(bundle: Path) -> bool:
        command = [sys.executable, "-m", "polyrank", "publish", bundle, repository, "--name", model.NAME]
        return subprocess.run([*command, "--to", server.url], check=False, capture_output=True).returncode == 0

    def swap(bundle: Bundle) -> None:
        found.events.append("a version published" if published(bundle.path) else "A VERSION WAS NOT PUBLISHED")

    def damage() -> None:
        broken = Path(shutil.copytree(bundles[0].path, repository.parent / "damaged"))
        graph = bytearray((broken / "model.onnx").read_bytes())
        graph[len(graph) // 2] ^= 0xFF
        (broken / "model.onnx").write_bytes(graph)
        found.events.append("A DAMAGED BUNDLE WAS PUBLISHED" if published(broken) else "a damaged bundle refused")

    def kill() -> None:
        os.kill(server.pid, signal.SIGKILL)
        found.events.append("server killed")

    return [
        (0.15, lambda: swap(bundles[1])),
        (0.30, damage),
        (0.45, lambda: swap(bundles[2])),
        (0.60, kill),
        (0.80, lambda: swap(bundles[3])),
    ]


async def _run(
    server: Server,
    found: Found,
    blocks: list[pa.Table],
    expected: dict[str, list[np.ndarray]],  # type: ignore[type-arg]
    seconds: float,
    disturbances: list[tuple[float, Callable[[], None]]],
) -> None:
    options = ClientOptions(attempts=100, parallel=64, backoff_limit_s=0.2)
    times = arrivals(np.random.default_rng(0), found.rate, seconds)
    start = time.perf_counter()

    async def disturb() -> None:
        for share, happen in disturbances:
            await asyncio.sleep(max(start + share * seconds - time.perf_counter(), 0.0))
            await asyncio.to_thread(happen)

    async def ask(ranker: AsyncRanker, number: int, arrival: float) -> None:
        found.requests += 1
        try:
            scores = await ranker.score(blocks[number % BLOCKS], timeout_s=TIMEOUT_S)
        except PolyrankError as err:
            found.lost[f"{type(err).__name__}: {err}"] += 1
            return
        found.latencies.append(time.perf_counter() - arrival)
        version = scores.schema.metadata[b"polyrank.version"].decode()
        found.versions[version] += 1
        gap = np.abs(_matrix(scores) - expected[version][number % BLOCKS]).max() if version in expected else np.inf
        found.wrong += not gap <= TOLERANCE

    async with AsyncRanker(server.url, model.NAME, options=options) as ranker, asyncio.TaskGroup() as tasks:
        tasks.create_task(disturb())
        for number, arrival in enumerate(times):
            await asyncio.sleep(max(start + arrival - time.perf_counter(), 0.0))
            tasks.create_task(ask(ranker, number, start + arrival))
