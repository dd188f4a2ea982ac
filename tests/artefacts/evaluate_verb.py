"""The verb `evaluate` as it is typed, and a folder with rows for it."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from toy import toy_table

from polyrank.__main__ import main

Capture = pytest.CaptureFixture[str]

QUICK = ["--resamples", "40", "--importance-rows", "40", "--shuffles", "1", "--catalogue-users", "3"]
LEAST = ["--resamples", "40", "--importance-rows", "0", "--catalogue-users", "0"]


def write_rows(folder: Path) -> Path:
    """Write the rows that the toy run was trained on, `rows.parquet`, of which `few.parquet` are some."""
    rows = toy_table(2_000, 0)
    pq.write_table(rows, folder / "rows.parquet")
    pq.write_table(rows.slice(0, 200), folder / "few.parquet")
    return folder


def evaluate(*words: object) -> int:
    return main(["--quiet", "evaluate", *map(str, words)])


def found_json(capsys: Capture, *words: object) -> Any:
    assert evaluate(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)
