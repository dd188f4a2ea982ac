"""Builds of the C++ code that the tests need, made on first use under build/."""

import contextlib
import fcntl
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class CppCase:
    """One GoogleTest case, as ctest knows it."""

    name: str
    command: tuple[str, ...]


def run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of the repository, with the tools of this Python's environment on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": path} | (env or {}), capture_output=True, text=True, check=False
    )


def build(preset: str, *options: str) -> Path:
    """Configure and build a preset, one process at a time; return its folder, or raise with what the tools said."""
    with _built(preset, *options) as folder:
        return folder


@contextlib.contextmanager
def _built(preset: str, *options: str) -> Iterator[Path]:
    """Give the folder of a preset that is built, and keep other processes from building it meanwhile."""
    folder = ROOT / "build" / preset
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["cmake", "--preset", preset, *options], ["cmake", "--build", "--preset", preset]):
            done = run(*command)
            if done.returncode != 0:
                raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        yield folder


@functools.cache
def cpp_cases() -> tuple[CppCase, ...]:
    """Return the cases of the dev preset, built if need be.

    Under the lock too: what another process configures meanwhile lists no case.
    """
    with _built("dev") as folder:
        listing = run("ctest", "--test-dir", str(folder), "--show-only=json-v1")
    if listing.returncode != 0:
        raise RuntimeError(listing.stderr)
    return tuple(CppCase(test["name"], tuple(test["command"])) for test in json.loads(listing.stdout)["tests"])


def sanitizer_environment() -> dict[str, str]:
    """Return the variables under which a Python process runs the extension built with sanitizers, built if need be."""
    folder = build("sanitize-python", f"-DPython_EXECUTABLE={sys.executable}")
    (extension,) = folder.glob("_native*.so")
    return {
        "POLYRANK_SANITIZED_NATIVE": str(extension),
        "LD_PRELOAD": f"{_runtime('libasan.so')} {_runtime('libstdc++.so')}",
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "PYTHONMALLOC": "malloc",  # so that every allocation of Python is watched too
        "PYTHONPATH": str(ROOT / "tests"),
    }


def _runtime(name: str) -> str:
    return subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip()
