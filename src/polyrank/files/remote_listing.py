"""Which files of a store a URL stands for: as `listing` has it for paths of this machine."""

import re
from collections.abc import Sequence

from polyrank.errors import DataError

from .part import Part
from .remote import RemotePath

_PATTERN = re.compile(r"[*?[]")


def list_remote(path: RemotePath, suffixes: Sequence[str]) -> list[Part]:
    """Return the files that a URL stands for, in the order of their names; see `list_files`.

    Raises:
        DataError: there is none, or the store cannot be reached.
    """
    path.system.invalidate_cache()
    kinds = ", ".join(suffixes)
    if _is_pattern(path.path):
        parts = _parts(path, _fixed_part(path.path), _matches(path), suffixes)
        if not parts:
            raise DataError(f"{path} matches no file that ends in {kinds}")
        return parts
    kind, is_named = path.kind(), path.name.lower().endswith(tuple(suffixes))
    if kind == "file" and is_named:
        return [Part(path, {})]
    if kind == "directory" or (kind == "file" and path.system.isdir(path.path)):  # a web page that lists files is both
        parts = _parts(path, path.path, path.reach(lambda: path.system.find(path.path)), suffixes)
        if not parts:
            raise DataError(f"{path} holds no file that ends in {kinds}")
        return parts
    if kind is not None:
        raise DataError(f"{path} must end in {kinds}")
    raise DataError(
        f"{path} does not exist; give the URL of a file, of a directory of files, or a pattern such as "
        f"'s3://bucket/logs/*.parquet'"
    )


def _is_pattern(path: str) -> bool:
    """Say whether a path is a pattern; the question mark of a web address begins its query."""
    return bool(_PATTERN.search(path.partition("?")[0] if "://" in path else path))


def _matches(path: RemotePath) -> list[str]:
    system, pattern = path.system, path.path
    found: list[str] = []
    for match, info in path.reach(lambda: system.glob(pattern, detail=True)).items():
        if info["type"] == "directory":
            # `**` matches the folders below, too.
            found += [] if "**" in pattern else path.reach(lambda folder=match: system.find(folder))  # type: ignore[misc]
        else:
            found.append(match)
    return found


def _parts(path: RemotePath, root: str, found: Sequence[str], suffixes: Sequence[str]) -> list[Part]:
    parts = []
    for name in sorted(found):
        below = [each for each in name.removeprefix(root.rstrip("/")).split("/") if each]
        part = Part.of(path.child(name), below, suffixes)
        parts += [] if part is None else [part]
    return parts


def _fixed_part(pattern: str) -> str:
    first = _PATTERN.search(pattern)
    return pattern[: pattern.rindex("/", 0, first.start()) + 1] if first and "/" in pattern[: first.start()] else ""
