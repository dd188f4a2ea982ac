"""Instruction-set levels below the machine's own, each in a process of its own that POLYRANK_ISA forces to it."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from contests.measure import OURS, QUICK, Contest, Row, Scale, Target, rows_of

from .columns import XXH64

COMMAND = Path(__file__).parents[1] / "fingerprint.py"
CONTEST = "strings"


def avx2(scale: Scale) -> list[Row]:
    """Without AVX-512."""
    return _at_level("avx2", scale, text="≥ 2 x XXH64", least=2)


def scalar(scale: Scale) -> list[Row]:
    """Without vector instructions; there is no target for it."""
    return _at_level("scalar", scale, text="-", least=None)


def _at_level(level: str, scale: Scale, *, text: str, least: float | None) -> list[Row]:
    name = f"{scale.keys:,} strings of 6-12 bytes, Arrow, POLYRANK_ISA={level}"
    target = Target(workload=name, text=text, against=XXH64, least=least)
    contest = Contest(keys=scale.keys, contenders={}, targets=[target], absent={})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, COMMAND, "--only", CONTEST, "--json", report, *(["--quick"] * (scale == QUICK))]
        environment = {**os.environ, "POLYRANK_ISA": level}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return rows_of(dataclasses.replace(contest, absent={OURS: reason}), {})
        rows = json.loads(report.read_text())["rows"]
    seconds = {row["against"]: row["theirs_s"] for row in rows} | {OURS: rows[0]["ours_s"]}
    return rows_of(contest, seconds)
