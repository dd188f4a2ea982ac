"""The tests of the extension once more, on an extension that watches its memory and arithmetic."""

import sys

import pytest
from native.native_build import ROOT, run, sanitizer_environment

pytestmark = [pytest.mark.native, pytest.mark.slow, pytest.mark.timeout(900)]


WATCHED = (
    "tests/unit/test_embedding_rows.py",
    "tests/unit/test_fingerprint*.py",
    "tests/unit/test_fused_layers.py",
    "tests/unit/test_ngrams.py",
    "tests/unit/test_pooled_rows.py",
    "tests/unit/test_raw_inputs.py",
    "tests/unit/test_shared_outputs.py",
    "tests/unit/test_table.py",
    "tests/unit/test_table_binding.py",
    "tests/property/test_embedding_rows_properties.py",
    "tests/property/test_fingerprint_properties.py",
    "tests/property/test_table_properties.py",
)


def test_tests_of_the_extension_pass_under_sanitizers() -> None:
    environment = sanitizer_environment()
    done = run(
        sys.executable,
        *("-m", "pytest", "-p", "native.sanitized_native", "-p", "no:cacheprovider"),
        *(str(path) for pattern in WATCHED for path in sorted(ROOT.glob(pattern))),
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-10_000:]
    assert f"polyrank._native: {environment['POLYRANK_SANITIZED_NATIVE']}" in done.stdout
