"""Python, Polyrank, what it depends on, and its extension."""

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from .finding import Finding

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[^]]*\])?\s*(>=(?P<least>[\d.]+))?")
_EXTRAS = {"torch": "train", "onnx": "export", "onnxruntime": "cpu", "optuna": "tune", "fsspec": "remote"}
"""What some verbs need, and the extra that brings it."""
_LEVELS = ("avx512", "avx2")


def findings() -> Iterator[Finding]:
    """Look at each."""
    yield Finding.ok("python", f"{platform.python_version()} at {sys.executable}")
    yield Finding.ok("polyrank", importlib.metadata.version("polyrank"))
    for requirement in importlib.metadata.requires("polyrank") or []:
        if ";" not in requirement:
            yield dependency(requirement)
    for name, extra in _EXTRAS.items():
        version = _version(name)
        yield Finding.ok(name, version or f"absent; pip install 'polyrank[{extra}]' where it is needed")
    yield extension(Path("/proc/cpuinfo"))


def dependency(requirement: str) -> Finding:
    """Say whether a package is there and new enough.

    Args:
        requirement: As package metadata has it, such as `numpy>=1.26`.
    """
    found = _REQUIREMENT.match(requirement)
    name, least = (found["name"], found["least"] or "0") if found else (requirement, "0")
    version = _version(name)
    if version is None:
        return Finding.fail(name, "absent", f"pip install '{requirement}'")
    if _numbers(version) < _numbers(least):
        return Finding.fail(name, f"{version}, which is older than {least}", f"pip install '{requirement}'")
    return Finding.ok(name, version)


def extension(cpuinfo: Path) -> Finding:
    """Say on which vector instructions the extension runs, and which the processor has.

    Args:
        cpuinfo: Where Linux describes the processor.
    """
    try:
        from polyrank.fingerprint import LEVEL
    except ImportError as err:
        return Finding.fail("extension", f"does not load: {err}", "pip install --force-reinstall polyrank")
    words = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    best = next((level for level in _LEVELS if level in words or f"{level}f" in words), "scalar")
    forced = os.environ.get("POLYRANK_ISA")
    if forced:
        return Finding.warn("extension", f"{LEVEL}, by POLYRANK_ISA; the processor has {best}", "unset POLYRANK_ISA")
    return Finding.ok("extension", f"runs on {LEVEL}; the processor has {best}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, up to what is no number."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version)[0]))
