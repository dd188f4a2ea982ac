"""Places of pages that are written by a benchmark: between `<!-- NAME: SCRIPT -->` and `<!-- end of NAME -->`."""

import re
import shutil
import subprocess
from pathlib import Path

from polyrank.staging import staged_file

ROOT = Path(__file__).parents[2]


def held(text: str, name: str, script: str, page: str) -> str:
    """Return what stands in a place.

    Args:
        text: of the page.
        name: of the place.
        script: that writes it, as `benchmarks/scale.py`.
        page: what the page is called in messages.

    Raises:
        SystemExit: the page has no such place, or several.
    """
    found = all_held(text, name, script)
    if len(found) != 1:
        begin, end = _marks(name, script)
        raise SystemExit(f"{page} has {len(found)} places for {name!r}, between {begin} and {end}; one is needed")
    return found[0]


def all_held(text: str, name: str, script: str) -> list[str]:
    """Return what stands in each place of this name; nothing where the text has none."""
    begin, end = map(re.escape, _marks(name, script))
    return re.findall(f"{begin}\n(.*?)\n?{end}", text, re.DOTALL)


def filled(text: str, name: str, script: str, page: str, content: str) -> str:
    """Return the page with something else in a place.

    Raises:
        SystemExit: as `held`.
    """
    held(text, name, script, page)
    begin, end = _marks(name, script)
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"


def _marks(name: str, script: str) -> tuple[str, str]:
    return f"<!-- {name}: {script} -->", f"<!-- end of {name} -->"


def committed(page: str) -> str:
    """Return a page as the last commit has it; where there is no git, or no such page there, as it is."""
    try:
        found = subprocess.run(["git", "show", f"HEAD:{page}"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return (ROOT / page).read_text()
    return found.stdout


def copy(picture: Path, place: str) -> None:
    """Put a picture in its place, whole."""
    with staged_file(ROOT / place) as file:
        shutil.copyfile(picture, file)


def write(page: str, text: str) -> None:
    """Put a page in place, whole."""
    with staged_file(ROOT / page) as file:
        file.write_text(text)
