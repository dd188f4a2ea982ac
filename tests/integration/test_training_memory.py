"""Rows that are not in memory do not take memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.files import MAX_BYTES

ROWS, DIM = 200_000, 256
ENCODED_BYTES = ROWS * DIM * 4
SCHEMA = f"""
name = "wide"
features = [{{ name = "image", kind = "vector", dim = {DIM} }}]
tasks = [{{ name = "click", kind = "binary", label = "is_click" }}]
"""

PROGRAM = """
import re, sys
from pathlib import Path
from polyrank.__main__ import main

assert main(sys.argv[1:]) == 0
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wide")
    generator = np.random.default_rng(0)
    with pq.ParquetWriter(folder / "logs.parquet", table_of(generator, 1).schema) as writer:
        for _ in range(10):
            writer.write_table(table_of(generator, ROWS // 10))
    (folder / "schema.toml").write_text(SCHEMA)
    return folder


def table_of(generator: np.random.Generator, count: int) -> pa.Table:
    images = generator.standard_normal((count, DIM), np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), DIM)
    return pa.table({"image": vectors, "is_click": (images[:, 0] > 0).astype(np.int8)})


def resident_bytes(folder: Path, name: str, memory_mb: int) -> int:
    """Train in a process of its own, and return its largest resident set."""
    (folder / f"{name}.toml").write_text(f"memory_mb = {memory_mb}\n")
    arguments = ["train", "logs.parquet", "--schema", "schema.toml", "--config", f"{name}.toml"]
    arguments += ["--cache", "encoded", "--out", name]
    command = [sys.executable, "-c", PROGRAM, *arguments]
    output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return int(output.splitlines()[-1]) * 1024


@pytest.mark.slow
def test_training_takes_the_memory_that_it_is_given(logs: Path) -> None:
    encoding_too = resident_bytes(logs, "first", 16)
    small, large = (resident_bytes(logs, name, size) for name, size in (("small", 16), ("large", 1_024)))
    assert large - small > 0.4 * ENCODED_BYTES  # validation takes some too, at another time
    assert encoding_too - small < 8 * MAX_BYTES
