"""The fingerprint tests once more, on an extension that watches its memory and arithmetic."""

import sys

import pytest
from native.native_build import ROOT, run, sanitizer_environment

pytestmark = [pytest.mark.native, pytest.mark.timeout(600)]


def test_fingerprint_tests_pass_under_sanitizers() -> None:
    environment = sanitizer_environment()
    done = run(
        sys.executable,
        *("-m", "pytest", "-p", "native.sanitized_native", "-p", "no:cacheprovider"),
        *map(str, sorted(ROOT.glob("tests/unit/test_fingerprint*.py"))),
        str(ROOT / "tests/property/test_fingerprint_properties.py"),
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-10_000:]
    assert f"polyrank._native: {environment['POLYRANK_SANITIZED_NATIVE']}" in done.stdout
