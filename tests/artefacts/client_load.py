"""Clients that score without a pause, while something happens to their server."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.errors import PolyrankError
from polyrank.serving import ClientOptions, Ranker

PATIENT = ClientOptions(attempts=1_000)


@dataclasses.dataclass
class Seen:
    """What clients saw.

    Attributes:
        scores: of the task `click`, float32 [B], for each call that was answered.
        refusals: what the others were told.
        answered: how many calls of each client were answered.
    """

    scores: list[NDArray[np.float32]] = dataclasses.field(default_factory=list)
    refusals: list[str] = dataclasses.field(default_factory=list)
    answered: list[int] = dataclasses.field(default_factory=list)

    @property
    def answers(self) -> NDArray[np.float32]:
        """All scores, [calls, B]."""
        return np.array(self.scores)


@contextlib.contextmanager
def scoring(url: str, rows: pa.Table, *, clients: int = 2) -> Iterator[Seen]:
    """Score rows again and again with clients that have a minute for each call, until the block ends."""
    seen, is_over = Seen(answered=[0] * clients), threading.Event()
    with Ranker(url, "toy", timeout_s=60.0, options=PATIENT) as ranker, ThreadPoolExecutor(clients) as pool:
        calls = [pool.submit(_keep_scoring, ranker, rows, seen, client, is_over) for client in range(clients)]
        try:
            yield seen
        finally:
            is_over.set()
            for call in calls:
                call.result()


def _keep_scoring(ranker: Ranker, rows: pa.Table, seen: Seen, client: int, is_over: threading.Event) -> None:
    while not is_over.is_set():
        try:
            seen.scores.append(ranker.score(rows)["click"].to_numpy())
            seen.answered[client] += 1
        except PolyrankError as err:
            seen.refusals.append(str(err))
            time.sleep(0.02)
