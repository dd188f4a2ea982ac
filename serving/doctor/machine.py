"""Machine, memory, disk, limits, Docker."""

import os
import platform
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from polyrank.caches import cache_folder
from polyrank.errors import ServerRuntimeError
from polyrank.reasons import system_reason
from polyrank.serving.locations import server_folder
from polyrank.serving.regions import SHARED_MEMORY

from .finding import Finding, gib

LEAST_MEMORY = 2 * 2**30
LEAST_DISK = 2**30
LEAST_SHARED = 256 * 2**20
LEAST_FILES = 1024
_MACHINES = ("x86_64", "aarch64")
_TIMEOUT_S = 5.0


def findings() -> Iterator[Finding]:
    """Look at each."""
    yield system(platform.system(), platform.machine())
    yield memory(Path("/proc/meminfo"))
    yield shared_memory(SHARED_MEMORY)
    yield cache()
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield docker()


def system(name: str, processor: str) -> Finding:
    """Say whether Triton runs on such a system at all."""
    found = f"{name} {platform.release()}, {processor}, {os.cpu_count()} cores"
    if name != "Linux" or processor not in _MACHINES:
        return Finding.fail("machine", found, "Triton runs on Linux, x86_64 or aarch64; use it as a client only")
    return Finding.ok("machine", found)


def memory(meminfo: Path) -> Finding:
    """Say how much memory is free.

    Args:
        meminfo: Where Linux says so.
    """
    words = [line.split() for line in meminfo.read_text().splitlines()]
    sizes = {line[0].rstrip(":"): int(line[1]) * 1024 for line in words}
    free = sizes["MemAvailable"]
    found = f"{gib(free)} free of {gib(sizes['MemTotal'])}"
    if free < LEAST_MEMORY:
        return Finding.warn("memory", found, f"a server with small models takes about {gib(LEAST_MEMORY)}; make room")
    return Finding.ok("memory", found)


def shared_memory(folder: Path) -> Finding:
    """Say whether the workers of a server can share tensors with it.

    Args:
        folder: Where shared memory lies.
    """
    name = "shared memory"
    if not os.access(folder, os.W_OK):
        return Finding.fail(name, f"{folder} cannot be written", "mount a tmpfs there: Triton's workers need it")
    usage = shutil.disk_usage(folder)
    found = f"{gib(usage.free)} free of {gib(usage.total)} in {folder}"
    if usage.free < LEAST_SHARED:
        return Finding.warn(name, found, "in a container give --shm-size=1g; elsewhere remove what dead processes left")
    return Finding.ok(name, found)


def cache() -> Finding:
    """Say whether the cache folder can be written, and has room for a server's environment."""
    folder = cache_folder()
    try:
        server_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            usage = shutil.disk_usage(folder)
    except ServerRuntimeError as err:
        return Finding.fail("cache", str(err), "set POLYRANK_CACHE_DIR")
    except OSError as err:
        return Finding.fail("cache", f"{folder} cannot be written: {system_reason(err)}", "set POLYRANK_CACHE_DIR")
    found = f"{gib(usage.free)} free in {folder}"
    if usage.free < LEAST_DISK:
        return Finding.warn("cache", found, "a server's environment takes 0.4 GiB; make room or set POLYRANK_CACHE_DIR")
    return Finding.ok("cache", found)


def open_files(limit: int) -> Finding:
    """Say whether a server may open enough files: each connection is one.

    Args:
        limit: How many a process may open; -1 is no limit.
    """
    if 0 <= limit < LEAST_FILES:
        return Finding.warn("open files", f"at most {limit}", f"ulimit -n {LEAST_FILES} before the server starts")
    return Finding.ok("open files", "no limit" if limit < 0 else f"at most {limit}")


def docker() -> Finding:
    """Say whether Docker is there, which the official container needs and the embedded server does not."""
    if shutil.which("docker") is None:
        return Finding.ok("docker", "absent; only the official container needs it")
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],  # noqa: S607 (whichever Docker the user has)
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return Finding.warn("docker", f"did not answer in {_TIMEOUT_S:g} s", "only the official container needs it")
    if done.returncode != 0:
        return Finding.warn("docker", "its daemon does not answer", "start it; only the official container needs it")
    return Finding.ok("docker", done.stdout.strip())
