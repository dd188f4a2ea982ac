"""How long metrics of a validation take: docs/training.md.

OMP_NUM_THREADS=1 python benchmarks/metrics.py                # a million rows of 100,000 users: half a minute
"""

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
from contests import report

from polyrank.features import NumericFeature
from polyrank.metrics import Bootstrap, evaluate
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask

CLICK = BinaryTask(name="click", label="click")
LIKE = BinaryTask(name="like", label="like")
WATCH = RegressionTask(name="watch", label="watch", transform="log1p")
TOGETHER = {
    "two binary tasks, all metrics": (CLICK, LIKE),
    "a binary task and a regression under `log1p`": (CLICK, WATCH),
}
RESAMPLES = 20
USUAL_RESAMPLES = 200


def main() -> None:
    """Time evaluations of two tasks with groups, and of intervals for each metric."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(f"{rows:,} rows of {max(1, rows // 10):,} users, {platform.machine()}, numpy {np.__version__}, CPU seconds\n")
    random = np.random.default_rng(0)
    logits = random.normal(size=rows)
    answers = {
        "click": (1 / (1 + np.exp(1 - logits))).astype(np.float32),
        "like": (0.1 / (1 + np.exp(1 - logits))).astype(np.float32),
        "watch": np.exp(logits).astype(np.float32),
    }
    labels = {
        "click": random.random(rows) < answers["click"],
        "like": random.random(rows) < answers["like"],
        "watch": np.exp(logits + random.normal(size=rows)),
    }
    users = random.integers(0, max(1, rows // 10), rows) * 2**40

    def seconds(tasks: tuple[BinaryTask | RegressionTask, ...], bootstrap: Bootstrap | None = None) -> float:
        schema = Schema(name="timed", features=(NumericFeature(name="x"),), tasks=tasks, group="user")
        matrix = np.stack([labels[task.name] for task in tasks], axis=1).astype(np.float32)
        return _best(lambda: evaluate(schema, answers, matrix, users, intervals=bootstrap))

    lines = [["what", "seconds"]]
    lines += [[what, f"{seconds(tasks):.2f}"] for what, tasks in TOGETHER.items()]
    for name, task in {"binary": CLICK, "regression": WATCH}.items():
        plain = seconds((task,))
        for which, headline_only in (("metrics in bold", True), ("all", False)):
            drawn = seconds((task,), Bootstrap(resamples=RESAMPLES, headline_only=headline_only))
            total = (drawn - plain) * USUAL_RESAMPLES / RESAMPLES
            lines.append([f"{USUAL_RESAMPLES} resamples of a {name} task: {which}", f"{total:.1f}"])
    print(report.markdown(lines))


def _best(call: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
