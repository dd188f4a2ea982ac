"""Instruction-set levels, each in a process of its own: the choice is made once."""

import json
import os
import subprocess
import sys

import pytest

from polyrank import _native
from polyrank.fingerprint import LEVEL, fingerprint

LEVELS = ("scalar", "avx2", "avx512")
VALUES = [None, "", *("key" * length for length in range(100)), "x" * 1000]
SCRIPT = """
import json, sys
from polyrank.fingerprint import LEVEL, fingerprint
values = json.load(sys.stdin)
print(json.dumps([LEVEL, fingerprint(values, dtype="text").tolist(), fingerprint(range(-9, 9), dtype="text").tolist()]))
"""


def run(isa: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"POLYRANK_ISA": isa},
        input=json.dumps(VALUES),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("isa", LEVELS[: LEVELS.index(LEVEL) + 1])
def test_forced_level_runs_and_answers_the_same(isa: str) -> None:
    level, texts, integers = json.loads(run(isa, "-c", SCRIPT).stdout)
    assert level == isa
    assert texts == fingerprint(VALUES, dtype="text").tolist()
    assert integers == fingerprint(range(-9, 9), dtype="text").tolist()


def test_empty_variable_forces_nothing() -> None:
    assert run("", "-c", "from polyrank.fingerprint import LEVEL; print(LEVEL)").stdout.strip() == LEVEL


def test_unknown_level_is_refused_in_one_line() -> None:
    done = run("sse2", "-m", "polyrank", "score", "localhost:1", "rows.parquet", "-o", "scores.parquet")
    assert done.returncode == 1
    assert done.stderr.startswith("polyrank: POLYRANK_ISA must be one of scalar")
    assert done.stderr.endswith("got sse2\n")


def test_level_is_that_of_the_extension() -> None:
    assert _native.level() == LEVEL
