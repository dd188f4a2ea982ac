"""_native.pyi says what the extension is."""

import ast
import inspect
import re
import shutil
import sys
from pathlib import Path

import pytest
from native.native_build import ROOT, run

from polyrank import _native

pytestmark = pytest.mark.native

STUB = ROOT / "src/polyrank/_native.pyi"
FUNCTIONS = {node.name: node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_stub_lists_every_binding() -> None:
    bindings = {name for name, _ in inspect.getmembers(_native, inspect.isbuiltin)}
    assert set(FUNCTIONS) == bindings


@pytest.mark.parametrize("name", FUNCTIONS)
def test_stub_names_the_arguments_of_the_binding(name: str) -> None:
    signature = (getattr(_native, name).__doc__ or "").splitlines()[0]
    arguments = re.findall(r"(\w+): ", signature)
    assert [argument.arg for argument in FUNCTIONS[name].args.args] == arguments


def test_stub_passes_stubtest(tmp_path: Path) -> None:
    # Alone in a folder, so that mypy need not read the rest of the package.
    shutil.copy(STUB, tmp_path)
    shutil.copy(_native.__file__, tmp_path)
    folder = {"MYPYPATH": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    done = run(sys.executable, "-m", "mypy.stubtest", "_native", env=folder)
    assert done.returncode == 0, done.stdout + done.stderr
