"""Which files a path stands for: one file, those of a directory and its folders, or those that a pattern matches."""

import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyrank.errors import DataError

from .part import Part, is_hidden
from .remote import Location, RemotePath
from .remote_listing import list_remote

_PATTERN = re.compile(r"[*?[]")


def list_files(path: Location, suffixes: Sequence[str]) -> list[Part]:
    """Return the files that `path` stands for, in the order of their names.

    Of directories and patterns, names that begin with `.` or `_`, and those without one of `suffixes`, are left alone.

    Raises:
        DataError: there is none, or a store cannot be reached.
    """
    if isinstance(path, RemotePath):
        return list_remote(path, suffixes)
    kinds = ", ".join(suffixes)
    if path.is_dir():
        parts = list(_parts(path, _walk(path), suffixes))
        if not parts:
            raise DataError(f"{path} holds no file that ends in {kinds}")
        return parts
    if path.exists():
        if not path.name.lower().endswith(tuple(suffixes)):
            raise DataError(f"{path} must end in {kinds}; rename it after what it holds, or convert it")
        return [Part(path, {})]
    if not _PATTERN.search(str(path)):
        raise DataError(
            f"{path} does not exist; give a file, a directory of files, or a pattern such as 'logs/*.parquet'"
        )
    parts = list(_parts(_fixed_part(path), _matches(path), suffixes))
    if not parts:
        raise DataError(f"{path} matches no file that ends in {kinds}")
    return parts


def would_list(path: Location, file: Path, suffixes: Sequence[str]) -> bool:
    """Say whether a directory or pattern would stand for `file` too, once that is written."""
    if isinstance(path, RemotePath) or not file.name.lower().endswith(tuple(suffixes)):
        return False
    if path.is_dir():
        real = Path(os.path.realpath(file))
        return any(_is_read(real, folder.resolve()) for folder, _ in _folders(path))
    if path.exists() or not _PATTERN.search(str(path)):
        return False
    fixed = _fixed_part(path)
    pattern = path.parts[len(fixed.parts) :]
    places = ((Path(place(file)), Path(place(fixed))) for place in (os.path.abspath, os.path.realpath))
    is_whole = "**" in str(path)  # see `_matches`
    return any(
        _is_read(own, root) and _fits(own.relative_to(root).parts, pattern, is_whole=is_whole) for own, root in places
    )


def _is_read(file: Path, folder: Path) -> bool:
    return file.is_relative_to(folder) and not any(map(is_hidden, file.relative_to(folder).parts))


def _fits(names: Sequence[str], pattern: Sequence[str], *, is_whole: bool) -> bool:
    """Say whether a pattern matches the path of these names, or, unless it `is_whole`, a directory above."""
    if not pattern:
        return not (is_whole and names)
    if pattern[0] == "**":
        return any(_fits(names[start:], pattern[1:], is_whole=is_whole) for start in range(len(names) + 1))
    fits_first = bool(names) and fnmatch.fnmatchcase(names[0], pattern[0])
    return fits_first and _fits(names[1:], pattern[1:], is_whole=is_whole)


def _parts(root: Path, files: Iterator[Path], suffixes: Sequence[str]) -> Iterator[Part]:
    for file in files:
        if (part := Part.of(file, file.relative_to(root).parts, suffixes)) is not None:
            yield part


def _walk(root: Path) -> Iterator[Path]:
    return iter(sorted(folder / file for folder, files in _folders(root) for file in files))


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield a directory and those below with their files; links are followed, but into no directory twice."""
    seen = {root.resolve()}
    for folder, folders, files in os.walk(root, followlinks=True):
        yield Path(folder), files
        kept = []
        for name in sorted(folders):
            place = Path(folder, name).resolve()
            if place not in seen and not is_hidden(name):
                seen.add(place)
                kept.append(name)
        folders[:] = kept


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
