"""A Spark cluster of two executors on this machine, and accidents that happen to it."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Any]:
    """Start executors in processes of their own, each with one core, until the block ends."""
    pyspark = pytest.importorskip("pyspark", reason="make test-all installs it")
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.files.maxPartitionBytes": "8m",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    with pytest.MonkeyPatch.context() as patch:
        # Where executors begin, and the interpreter of their tasks.
        patch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_DIRS", str(folder))
        builder = SparkSession.builder.master("local-cluster[2,1,1024]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        yield session
        session.stop()


def with_one_killed(spark: Any, job: Callable[[], Any], find: Callable[[Any], list[int]]) -> Any:
    """Run a job; kill one of the processes that `find` finds when the first task is done and others run."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(job)
        while not (running.done() or is_halfway(spark)):
            time.sleep(0.01)
        victims = find(spark)
        assert not running.done(), "the job ended before anything could be killed"
        os.kill(victims[0], signal.SIGKILL)
        return running.result()


def is_halfway(spark: Any) -> bool:
    """Say whether of some stage a task is done and others are not."""
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return any(stage is not None and 0 < stage.numCompletedTasks < stage.numTasks - 1 for stage in stages)


def executors(spark: Any) -> list[int]:
    """Return the processes of a session's executors."""
    application = spark.sparkContext.applicationId
    lines = {pid: line for pid, line in _command_lines().items() if "CoarseGrainedExecutorBackend" in line}
    return [pid for pid, line in lines.items() if application in line and "java" in line.partition("\0")[0]]


def python_workers(spark: Any) -> list[int]:
    """Return the processes in which executors run Python: children of a daemon each."""
    parents = {pid: _parent(pid) for pid in _command_lines()}
    own = set(executors(spark))
    return [pid for pid, parent in parents.items() if parents.get(parent) in own]


def _command_lines() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[int(entry.name)] = (entry / "cmdline").read_text()
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
