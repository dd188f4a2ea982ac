"""Parts of a file of scores, in a folder of their own until all are there: what a later call goes on from."""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from polyrank.decoding import decode_json
from polyrank.errors import OutputError
from polyrank.reasons import system_reason
from polyrank.staging import staged_file

_STATE = "state.json"
_PART = r"part-[0-9]{12}\.parquet"
_OURS = re.compile(rf"state\.json|{_PART}|\.(state\.json|{_PART})\..*\.partial")
"""Names that a scoring gives, those of a file that was being written when it was killed among them."""

_OTHERS = {
    "rows": "other rows",
    "model": "another model",
    "run_id": "another run of the model",
    "keep": "other columns to keep",
}


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What parts were made of: they are continued by nothing else."""

    rows: list[tuple[str, int, int]]
    model: str
    run_id: str
    keep: list[str]


def folder_of(out: Path) -> Path:
    """Return the folder of the parts of a file of scores."""
    return out.with_name(f"{out.name}.parts")


def part_file(folder: Path, first: int) -> Path:
    """Return the file of the part whose first row has so many before it."""
    return folder / f"part-{first:012}.parquet"


def part_files(folder: Path) -> list[Path]:
    """Return the parts that are whole, in the order of their rows."""
    return sorted(folder.glob("part-*.parquet"))


@contextlib.contextmanager
def parts_folder(out: Path, state: State, *, resume: bool) -> Iterator[Path]:
    """Give the folder of parts, locked: empty, or with those that are continued. It is gone when the block ends well.

    Raises:
        OutputError: it cannot be written, another process is at work in it, it holds what is of no scoring, or what
            `resume` would go on from was made of something else.
    """
    folder = folder_of(out)
    with _locked(folder, out):
        goes_on = _goes_on(folder, state, resume=resume)
        try:
            if not goes_on:
                _begin(folder, state)
            yield folder
        except BaseException:
            if not part_files(folder):  # nothing to go on from
                _drop(folder)
            raise
        _drop(folder)


@contextlib.contextmanager
def _locked(folder: Path, out: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as err:
        raise OutputError(f"cannot write {out}: {system_reason(err)}; choose another output file") from err
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise OutputError(f"another process is scoring to {out}; wait for it, or choose another file") from err
        yield
    finally:
        os.close(descriptor)


def _goes_on(folder: Path, state: State, *, resume: bool) -> bool:
    """Say whether the parts that are there are continued; all else that may be there is of a scoring too."""
    for name in sorted(entry.name for entry in folder.iterdir()):
        if not _OURS.fullmatch(name):
            raise _foreign(folder, name)
    before = _state(folder)
    if before is None or not resume:
        return False
    for name, other in _OTHERS.items():
        if getattr(before, name) != getattr(state, name):
            raise OutputError(
                f"{folder} holds parts of a scoring with {other}; give the same again, or score without resuming, "
                "which drops these parts"
            )
    return True


def _state(folder: Path) -> State | None:
    file = folder / _STATE
    if not file.exists():
        if parts := part_files(folder):  # whose state was written before them
            raise _foreign(folder, parts[0].name)
        return None
    try:
        return decode_json(file.read_bytes(), State)
    except (msgspec.DecodeError, OSError) as err:
        raise _foreign(folder, _STATE) from err


def _foreign(folder: Path, name: str) -> OutputError:
    return OutputError(
        f"{folder} is in the way: {name!r} in it is damaged, or of something else than a scoring; move the folder "
        "away, or choose another output file"
    )


def _begin(folder: Path, state: State) -> None:
    """Drop what was there, and say what the parts to come are made of."""
    try:
        _remove_ours(folder)
    except OSError as err:
        raise OutputError(
            f"cannot drop the parts in {folder}: {system_reason(err)}; choose another output file"
        ) from err
    with staged_file(folder / _STATE) as partial:
        partial.write_bytes(msgspec.json.encode(state))


def _drop(folder: Path) -> None:
    with contextlib.suppress(OSError):
        _remove_ours(folder)
        folder.rmdir()


def _remove_ours(folder: Path) -> None:
    # The state comes last by name: no part is ever there without it.
    for entry in sorted(folder.iterdir()):
        if not _OURS.fullmatch(entry.name):
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
