"""What commands are filled in with: files to write, data that somebody has, and a model as the demo makes it."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from polyrank.staging import staged_file

from .catalogue import Benchmark
from .pages import ROOT
from .running import FailedError, sources

DATA = {
    "ml_1m": "MovieLens-1M, unpacked",
    "ml_100k": "MovieLens-100k, unpacked",
    "census_income": "Census-Income (KDD), unpacked",
    "disk": "a folder on a disk with 50 GB free",
}
"""Folders that only who runs the benchmarks can name."""


def lacking(benchmark: Benchmark, given: Mapping[str, Path]) -> str | None:
    """Say what a benchmark needs that is not here; None if all is."""
    for need in benchmark.needs:
        if importlib.util.find_spec(need) is None and shutil.which(need) is None:
            return f"{need} is not installed"
    for name in sorted(benchmark.asked & DATA.keys() - given.keys()):
        return f"it needs --{name.replace('_', '-')} FOLDER ({DATA[name]})"
    return None


def files_of(benchmark: Benchmark, folder: Path) -> dict[str, Path]:
    """Return what a benchmark may write in a folder, by the words that ask for it, and its log."""
    endings = {"json": ".figures.json", "picture": Path(benchmark.picture).suffix, "log": ".log"}
    return {name: folder / f"{benchmark.name}{ending}" for name, ending in endings.items()}


def words(benchmark: Benchmark, paths: Mapping[str, Path], *, quick: bool) -> tuple[str, ...]:
    """Return the words of a command, filled in; a path stays one word, whatever it holds."""
    command = f"{benchmark.command} {benchmark.quick}" if quick else benchmark.command
    return tuple(word.format_map(paths) for word in command.split())


def demo(folder: Path) -> Path:
    """Return a folder as `make demo` leaves it; it is made where it is missing or of other code, in half a minute.

    Raises:
        FailedError: the demo fails.
    """
    code, mark = sources(), folder / "made-of"
    if not (code and mark.exists() and mark.read_text() == code):
        mark.unlink(missing_ok=True)
        command = [sys.executable, str(ROOT / "examples" / "kuairand" / "demo.py"), "--out", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise FailedError(f"the demo failed: {(done.stderr.strip().splitlines() or ['it told nothing'])[-1]}")
        with staged_file(mark) as file:
            file.write_text(code)
    return folder


def invented(folder: Path) -> dict[str, Path]:
    """Write small data in place of those that somebody has to have, as the tests do."""
    sys.path.insert(0, str(ROOT / "tests"))
    from artefacts import invented as made

    ratings = made.ratings(6_000)
    places = {name: folder / name for name in DATA}
    for place in places.values():
        place.mkdir(parents=True)
    made.write_1m(places["ml_1m"], ratings)
    made.write_100k(places["ml_100k"], ratings)
    made.write_census_income(places["census_income"], 2_000)
    return places
