"""File systems that are soon full, or take nothing."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(disk: Path, size: str) -> Iterator[Path]:
    """Mount a file system of a size, such as "64k", until the block ends; skip the test where that is not allowed."""
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk needs the right to mount: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        # Lazily: threads of Arrow hold a file that was read for an instant longer.
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def remount(disk: Path, option: str) -> None:
    """Change a mounted file system: `ro`, `rw`, `size=8m`."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


def free(disk: Path) -> int:
    """Return how many bytes are free."""
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
