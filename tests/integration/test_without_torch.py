"""The client, its tests and the command line work where PyTorch and ONNX cannot be imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from artefacts.served import SERVED_VARIABLE

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}


def run_blocked(code: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a Python that cannot import what only training and export need."""
    command = [sys.executable, "-c", f"import artefacts.blocked\n{code}"]
    return subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", ["torch", "onnx", "onnxscript", "onnxruntime", "safetensors"])
def test_blocked_library_cannot_be_imported(name: str) -> None:
    assert f"{name} is blocked" in run_blocked(f"import {name}").stderr


@pytest.mark.triton
@pytest.mark.slow
def test_all_client_tests_pass_without_torch(served: Path) -> None:
    tests = [str(ROOT / "tests" / path) for path in ("integration/test_client.py", "unit/test_client_protocol.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "artefacts.blocked", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**ENVIRONMENT, SERVED_VARIABLE: str(served)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.fullmatch(r"1[0-4]\d passed in .*s", done.stdout.strip().splitlines()[-1])


def test_light_modules_import_without_torch() -> None:
    names = (
        "serving",
        "serving.client",
        "encoder",
        "fingerprint",
        "rows",
        "schema",
        "signature",
        "staging",
        "__main__",
    )
    done = run_blocked("import " + ", ".join(f"polyrank.{name}" for name in names))
    assert done.returncode == 0, done.stderr


def test_schema_is_checked_without_torch() -> None:
    verb = "'schema', 'check', 'examples/kuairand/schema.toml', 'examples/kuairand/interactions.parquet'"
    done = run_blocked(f"from polyrank.__main__ import main\nraise SystemExit(main([{verb}]))")
    assert done.returncode == 1
    assert "error: missing column: history: the data lack this column" in done.stdout


@pytest.mark.parametrize(
    "verb",
    [
        "'train', 'x.csv', '--schema', 'examples/kuairand/schema.toml', '--out', 'no/where'",
        "'export', 'run', '--out', 'no/where'",
        "'publish', 'bundle', 'no/where'",
        "'dataset', 'kuairand', 'examples/kuairand', '--out', 'no/where'",
    ],
)
def test_verb_names_the_missing_extra_in_one_line(verb: str) -> None:
    done = run_blocked(f"from polyrank.__main__ import main\nraise SystemExit(main([{verb}]))")
    assert done.returncode == 1
    assert re.fullmatch(r"polyrank: [^\n]+; pip install 'polyrank\[[a-z,]+\]'\n", done.stderr)
