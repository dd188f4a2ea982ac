"""All fuzzers, one after the other, each for a given time: the kernels in C++, then the extension with Arrow data.

Usage: run_fuzzers.py [--seconds 600] [--seed SEED]. New inputs of the kernels' fuzzers stay in build/fuzz/corpus.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from native.native_build import ROOT, build, sanitizer_environment

KERNELS = ("kernels_fuzz", "embedding_rows_fuzz")
"""What fuzzes the kernels: those of fingerprints, and those of embedding tables."""


def kernels_command(fuzzer: str, seconds: float) -> list[str]:
    """Return the command of one of `KERNELS`, built if need be."""
    folder = build("fuzz")
    corpus = folder / "corpus" / fuzzer
    corpus.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds:.0f}", "-max_len=8192", "-timeout=10", f"-artifact_prefix={folder}/"]
    # On Linux the largest size of a process counts that of its parent before exec, which may be far above the limit.
    memory = ["-rss_limit_mb=0", "-malloc_limit_mb=2048"]
    return [
        str(folder / fuzzer),
        *limits,
        *memory,
        "-verbosity=0",
        "-print_funcs=0",
        "-print_final_stats=1",
        str(corpus),
    ]


def arrow_command(seconds: float, seed: int) -> list[str]:
    """Return the command that fuzzes the extension with Arrow data."""
    script = str(ROOT / "tests/fuzz/arrow_fuzz.py")
    return [sys.executable, script, "--seconds", str(seconds), "--seed", str(seed)]


def main() -> int:
    """Run all; the exit status of the first that fails."""
    parser = argparse.ArgumentParser(description="Fuzz the kernels and the extension.")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each (default 600)")
    parser.add_argument("--seed", type=int, default=int(time.time()) * 1000, help="first case of the Arrow data")
    args = parser.parse_args()
    for fuzzer in KERNELS:
        kernels = subprocess.run(kernels_command(fuzzer, args.seconds), check=False)
        if kernels.returncode != 0:
            return kernels.returncode
    environment = os.environ | sanitizer_environment()
    return subprocess.run(arrow_command(args.seconds, args.seed), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
