"""The tests of the extension once more, on an extension that watches its memory and arithmetic."""

import subprocess
import sys
from pathlib import Path

import pytest
from native.native_build import ROOT, build, run

pytestmark = [pytest.mark.native, pytest.mark.timeout(600)]


WATCHED = (
    "tests/unit/test_fingerprint*.py",
    "tests/unit/test_ngrams.py",
    "tests/unit/test_table.py",
    "tests/property/test_fingerprint_properties.py",
    "tests/property/test_table_properties.py",
)


def runtime(name: str) -> str:
    return subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip()


@pytest.fixture(scope="module")
def sanitized_extension() -> Path:
    folder = build("sanitize-python", f"-DPython_EXECUTABLE={sys.executable}")
    (extension,) = folder.glob("_native*.so")
    return extension


def test_fingerprint_tests_pass_under_sanitizers(sanitized_extension: Path) -> None:
    done = run(
        sys.executable,
        *("-m", "pytest", "-p", "native.sanitized_native", "-p", "no:cacheprovider"),
        *(str(path) for pattern in WATCHED for path in sorted(ROOT.glob(pattern))),
        env={
            "POLYRANK_SANITIZED_NATIVE": str(sanitized_extension),
            "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libstdc++.so')}",
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",  # so that every allocation of Python is watched too
            "PYTHONPATH": str(ROOT / "tests"),
        },
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-10_000:]
    assert f"polyrank._native: {sanitized_extension}" in done.stdout
