"""Facts about the repository as a whole that no other test would notice breaking."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("room", ["train", "export", "serving"])
def test_room_is_a_relative_link(room: str) -> None:
    link = ROOT / "src" / "polyrank" / room
    assert link.is_symlink()
    assert str(link.readlink()) == f"../../{room}"


def test_every_dependency_is_pinned_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    listed = [
        *project["project"]["dependencies"],
        *(entry for name, entries in extras.items() if name not in ("all", "gpu") for entry in entries),
        *(entry for entries in groups.values() for entry in entries if isinstance(entry, str)),
    ]
    names = {entry.split(">=")[0].split("[")[0].replace("-", "_").lower() for entry in listed} - {"polyrank"}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].replace("-", "_").lower() for line in lines if "==" in line}
    assert names <= pinned


def test_versions_of_package_and_project_agree() -> None:
    import polyrank

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert polyrank.__version__ == project["project"]["version"]


def test_no_pickle_is_read_or_written() -> None:
    sources = ["src", "train", "export", "serving", "examples"]
    found = subprocess.run(
        ["git", "grep", "-nE", r"pickle\.|torch\.(load|save)\(|allow_pickle=True", "--", *sources],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_no_build_product_is_tracked() -> None:
    products = ["*.whl", "*.so", "*.pyc", "*.o", "*.a", "*.tar.gz", "*.zip", "*.onnx", "*.log"]
    found = subprocess.run(["git", "ls-files", *products], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == ""


def test_no_scratch_file_is_tracked_in_the_root() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    found = {name for name in files if name and "/" not in name and not name.startswith(".")}
    assert {Path(name).suffix for name in found - {"LICENSE", "Makefile"}} <= {".md", ".toml", ".txt", ".json", ".yml"}
    assert {name for name in found if name.endswith((".json", ".txt", ".yml"))} == {
        "CMakeLists.txt",
        "CMakePresets.json",
        "constraints.txt",
        "mkdocs.yml",
    }
