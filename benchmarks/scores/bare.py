"""ONNX Runtime alone, on rows that lie encoded in memory, and the best of its settings."""

import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import onnxruntime
from contests.processes import Finished

from polyrank.encoder import Batch

from .bundles import Prepared

SIDE_BY_SIDE, INSIDE = "side by side", "threads inside"
SIDE_BY_SIDE_ROWS = (128, 256, 512, 1024, 2048, 4096)
INSIDE_ROWS = (1024, 4096, 16_384)
TRIED_ROWS = 20_480


@dataclasses.dataclass(frozen=True)
class Setting:
    """How rows are run: on threads with a run each, or on the threads of ONNX Runtime inside of each run."""

    kind: str
    rows: int
    threads: int

    def __str__(self) -> str:
        return f"{self.threads} {self.kind}, {self.rows:,} rows"

    @contextlib.contextmanager
    def opened(self, prepared: Prepared) -> Iterator[Callable[[], Finished]]:
        """Give what runs all rows once."""
        with self.running(prepared, prepared.encoded()) as run:
            yield run

    @contextlib.contextmanager
    def running(self, prepared: Prepared, batch: Batch) -> Iterator[Callable[[], Finished]]:
        """Give what runs the rows of a batch once."""
        is_beside = self.kind == SIDE_BY_SIDE
        session = _session(prepared, 1 if is_beside else self.threads)
        starts = range(0, len(batch), self.rows)
        with ThreadPoolExecutor(self.threads if is_beside else 1) as pool:

            def run() -> Finished:
                start, used = time.perf_counter(), time.process_time()
                for _ in pool.map(lambda at: session.run(None, batch[at : at + self.rows].named()), starts):
                    pass
                return Finished(seconds=time.perf_counter() - start, processor_s=time.process_time() - used)

            yield run


def best_setting(prepared: Prepared, tries: int) -> tuple[Setting, list[list[str]]]:
    """Try all settings in turns on the first rows; return the one that takes least of the cores, and lines."""
    cores = len(os.sched_getaffinity(0))
    settings = [
        *(Setting(SIDE_BY_SIDE, rows, cores) for rows in SIDE_BY_SIDE_ROWS),
        *(Setting(INSIDE, rows, cores) for rows in INSIDE_ROWS),
    ]
    batch = prepared.encoded()[:TRIED_ROWS]
    found: dict[Setting, list[Finished]] = {setting: [] for setting in settings}
    with contextlib.ExitStack() as stack:
        runs = {setting: stack.enter_context(setting.running(prepared, batch)) for setting in settings}
        for _ in range(tries):
            for setting, run in runs.items():
                found[setting].append(run())
    used = {setting: statistics.median(each.processor_s for each in turns) for setting, turns in found.items()}
    lines = [
        [
            f"{setting.threads} {setting.kind}",
            f"{setting.rows:,}",
            f"{len(batch) / statistics.median(each.seconds for each in turns):,.0f}",
            f"{len(batch) * cores / used[setting]:,.0f}",
        ]
        for setting, turns in found.items()
    ]
    return min(used, key=lambda setting: used[setting]), lines


def _session(prepared: Prepared, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        str(prepared.bundle / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
