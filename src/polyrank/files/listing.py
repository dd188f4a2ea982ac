"""Which files a path stands for: one file, those of a directory and its folders, or those that a pattern matches."""

import dataclasses
import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from polyrank.errors import DataError

_NULL = "__HIVE_DEFAULT_PARTITION__"
_PATTERN = re.compile(r"[*?[]")


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A file, and what the names of its folders say of its rows.

    Attributes:
        file: where it is.
        partition: text by column, from folders such as `date=2026-01-01`; None where they say null.
    """

    file: Path
    partition: dict[str, str | None]


def list_files(path: Path, suffixes: Sequence[str]) -> list[Part]:
    """Return the files that `path` stands for, in the order of their names.

    Of directories and patterns, names that begin with `.` or `_`, and those without one of `suffixes`, are left alone.

    Raises:
        DataError: there is none.
    """
    kinds = ", ".join(suffixes)
    if path.is_dir():
        parts = list(_parts(path, _walk(path), suffixes))
        if not parts:
            raise DataError(f"{path} holds no file that ends in {kinds}")
        return parts
    if path.exists():
        if not path.name.lower().endswith(tuple(suffixes)):
            raise DataError(f"{path} must end in {kinds}")
        return [Part(path, {})]
    if not _PATTERN.search(str(path)):
        raise DataError(
            f"{path} does not exist; give a file, a directory of files, or a pattern such as 'logs/*.parquet'"
        )
    parts = list(_parts(_fixed_part(path), _matches(path), suffixes))
    if not parts:
        raise DataError(f"{path} matches no file that ends in {kinds}")
    return parts


def _parts(root: Path, files: Iterator[Path], suffixes: Sequence[str]) -> Iterator[Part]:
    for file in files:
        below = file.relative_to(root).parts
        if file.name.lower().endswith(tuple(suffixes)) and not any(map(_is_hidden, below)):
            yield Part(file, _partition(below[:-1]))


def _is_hidden(name: str) -> bool:
    """Recognise what is no data: half-written files, `_SUCCESS`, `_delta_log`; not the partition `_day=1`."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _partition(folders: Sequence[str]) -> dict[str, str | None]:
    pairs = (folder.split("=", 1) for folder in folders if "=" in folder)
    return {unquote(name): None if value == _NULL else unquote(value) for name, value in pairs}


def _walk(root: Path) -> Iterator[Path]:
    """Yield the files below a directory; links are followed, but into no directory twice."""
    seen, found = {root.resolve()}, []
    for folder, folders, files in os.walk(root, followlinks=True):
        found += [Path(folder, file) for file in files]
        kept = []
        for name in sorted(folders):
            place = Path(folder, name).resolve()
            if place not in seen and not _is_hidden(name):
                seen.add(place)
                kept.append(name)
        folders[:] = kept
    return iter(sorted(found))


def _matches(pattern: Path) -> Iterator[Path]:
    for match in sorted(map(Path, glob.glob(str(pattern), recursive=True))):  # noqa: PTH207 (takes absolute patterns)
        if match.is_dir():
            # `**` matches the folders below, too.
            yield from () if "**" in str(pattern) else _walk(match)
        else:
            yield match


def _fixed_part(pattern: Path) -> Path:
    parts = pattern.parts
    first = next(index for index, part in enumerate(parts) if _PATTERN.search(part))
    return Path(*parts[:first])
