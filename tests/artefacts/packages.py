"""What is built for others, and environments where it is installed."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
PYTHONS = ("3.11", "3.12", "3.13")
"""The versions that Polyrank names."""

CONSTRAINTS: list[str | Path] = ["--constraint", ROOT / "constraints.txt"]


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_sdist(folder: Path) -> Path:
    """Return the source archive of the checkout."""
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def build_wheel(sdist: Path, folder: Path) -> Path:
    """Return the wheel that the source archive alone gives, as for whoever installs it."""
    run(*PIP, "wheel", sdist, "--no-build-isolation", "--no-deps", "-w", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheels: Path, folder: Path, python: Path = Path(sys.executable)) -> Path:
    """Return the Python of a fresh environment with Polyrank out of a folder that has all it requires."""
    if python == Path(sys.executable):
        venv.create(folder, with_pip=False)
    else:
        run(python, "-m", "venv", "--without-pip", folder)
    made = folder / "bin" / "python"
    run(*PIP, "--python", made, "install", "--no-index", "--find-links", wheels, "polyrank")
    return made


def found_python(version: str) -> Path | None:
    """Return a Python of a version, as in "3.12": on the path, or one that pyenv or uv made."""
    for manager in (["pyenv", "prefix", version], ["uv", "python", "find", version]):
        if shutil.which(manager[0]) is not None:
            done = subprocess.run(manager, capture_output=True, text=True, check=False)
            place = Path(done.stdout.strip().split(":")[0])
            if done.returncode == 0:
                return place / "bin" / "python" if place.is_dir() else place
    on_path = shutil.which(f"python{version}")
    return None if on_path is None else Path(on_path)
