"""The layers and the picture of ARCHITECTURE.md are those of the code."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "site" / "layers.py"
LAYERS = [["shell"], ["left", "right"], ["errors"]]
IMPORTS = {
    "shell": frozenset({"left", "errors"}),
    "left": frozenset({"errors"}),
    "right": frozenset[str](),
    "errors": frozenset[str](),
}


@pytest.fixture(scope="module")
def layers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("layers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_and_picture_are_those_of_the_code() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_page_holds_what_is_printed() -> None:
    printed = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True).stdout
    assert f"```\n{printed}```" in (ROOT / "ARCHITECTURE.md").read_text()


def test_layers_are_those_of_the_contract(layers: ModuleType) -> None:
    project = {
        "tool": {
            "importlinter": {"contracts": [{"type": "layers", "layers": ["polyrank.a", "polyrank.b | polyrank.c"]}]}
        }
    }
    assert layers.layers_of(project) == [["a"], ["b", "c"]]


def test_lines_break_between_layers(layers: ModuleType) -> None:
    text = layers.layers_text([["a" * 60, "b" * 50], ["c" * 60], ["d"]])
    assert text == f"{'a' * 60} | {'b' * 50}\n   → {'c' * 60} → d"


def test_imports_of_parts_are_found(layers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "__init__.py": "",
        "high.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import drawn_parts.types_alone\n",
        "deep/__init__.py": "",
        "deep/inner.py": "def run():\n    from drawn_parts.low import thing\n    from . import other\n",
        "deep/other.py": "",
        "low.py": "import json\n\nthing = 1\n",
        "types_alone.py": "",
    }
    for name, text in sources.items():
        file = tmp_path / "drawn_parts" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    nothing: frozenset[str] = frozenset()
    expected = {"high": nothing, "deep": frozenset({"low"}), "low": nothing, "types_alone": nothing}
    assert layers.imports("drawn_parts") == expected


def test_each_import_is_a_mark_in_its_row_and_column(layers: ModuleType) -> None:
    drawn = layers.picture(LAYERS, IMPORTS)
    first = layers.LABEL + layers.MARGIN + 2
    places = re.findall(r'class="mark" x="(\d+)" y="(\d+)"', drawn)
    marks = {((int(y) - first) // layers.CELL, (int(x) - first) // layers.CELL) for x, y in places}
    assert marks == {(0, 1), (0, 3), (1, 3)}


def test_package_without_a_layer_is_named(layers: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"polyrank\.new is in one of source code and layers; correct the layers"):
        layers.picture(LAYERS, {**IMPORTS, "new": frozenset()})


def test_page_without_a_place_is_refused(layers: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"ARCHITECTURE\.md has 0 places for the layers"):
        layers.with_layers("# Architecture\n", "a → b")
