"""Keeps a file that is written apart from what is read."""

import os
from collections.abc import Iterable
from pathlib import Path

from polyrank.errors import OutputError
from polyrank.staging import real_file

from .forms import SUFFIXES
from .listing import list_files, would_list
from .remote import Location


def check_output(
    out: Path, *, rows: Iterable[Location] = (), inputs: Iterable[Path] = (), beside: Iterable[Path] = ()
) -> None:
    """Refuse a file to write that cannot be written, or that is, or would be, a part of what is read.

    Args:
        out: the file.
        rows: files, directories of files or patterns that are read as rows.
        inputs: files and directories, such as runs and bundles, that are read too; one that does not exist is passed
            over.
        beside: other files that are written on the way.

    Raises:
        OutputError: it is such a file.
        DataError: one of `rows` stands for no file.
    """
    real = real_file(out)
    for each in rows:
        if any(_is_same(part.file, real) for part in list_files(each, SUFFIXES)):
            raise OutputError(f"cannot write {out}: it is a file of the rows {each}; choose another output file")
        if any(would_list(each, file, SUFFIXES) for file in (out, real, *beside)):
            raise OutputError(
                f"cannot write {out}: files there would be rows of {each} the next time; choose another folder"
            )
    for each in inputs:
        if _is_same(each, real):
            raise OutputError(f"cannot write {out}: it is {each}, which is read; choose another output file")
        if each.is_dir() and real.is_relative_to(os.path.realpath(each)):
            raise OutputError(f"cannot write {out}: it would lie in {each}, which is read; choose another folder")


def _is_same(file: Location, real: Path) -> bool:
    return isinstance(file, Path) and file.exists() and real.exists() and file.samefile(real)
