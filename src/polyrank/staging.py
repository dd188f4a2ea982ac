"""Directories and files that appear whole or not at all, whatever kills the process that writes them.

Work happens in a hidden sibling `.<name>.<time>.<random>.partial`, is flushed to disk and then renamed into place. The
writer holds a lock on the sibling, so a later one can tell leftovers of the dead from work in progress and sweep them.
"""

import contextlib
import errno
import fcntl
import glob
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from polyrank.errors import OutputError

PARTIAL_SUFFIX = ".partial"
_ELSEWHERE = "choose another output directory"
_OPEN_FILES = re.compile(r"/proc/[0-9]+(/task/[0-9]+)?/fd")
_MAX_LINKS = 40  # as many as Linux follows
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)
_OF_THE_MACHINE = (*_FULL, *_TOO_MANY_OPEN, errno.EROFS, errno.EIO, errno.EFBIG)


@contextlib.contextmanager
def staged_directory(target: Path, *, alone: bool = False) -> Iterator[Path]:
    """Yield an empty directory that becomes `target` when the block ends well, and vanishes when it does not.

    Args:
        target: the directory.
        alone: refuse when another process is at work on it; else both may work, and the first to end has it.

    Raises:
        OutputError: `target` already exists and is not an empty directory, cannot be written, or has another writer.
    """
    refuse_existing(target)
    with partial_directory(target, alone=alone) as stage:
        yield stage
        with _writing(target):
            flush_tree(stage)
            try:
                stage.rename(target)
            except OSError as err:
                if err.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    refuse_existing(target)
                raise
            flush(target.parent)


@contextlib.contextmanager
def staged_file(target: Path, *, advice: str = _ELSEWHERE) -> Iterator[Path]:
    """Yield the path of a file to write, which takes the place of `target` when the block ends well.

    A file that is already there stays whole until then.

    Args:
        target: the file.
        advice: how to write elsewhere, as the error says it where the target cannot be written.

    Raises:
        OutputError: `target` is a directory, a device or a stream, or names no file, or it cannot be written.
    """
    real = real_file(target)
    with partial_directory(real, shown=target, advice=advice) as stage:
        file = stage / target.name
        yield file
        with _writing(target, advice):
            flush(file)
            file.replace(real)
            flush(real.parent)


def real_file(target: Path) -> Path:
    """Return where a file written to `target` will lie, past links.

    Raises:
        OutputError: as `staged_file`, as far as that can be told before anything is written.
    """
    if not target.name:
        raise OutputError(f"cannot write {target}: it names no file; choose another output file")
    with _writing(target):
        if _is_stream(target):
            raise OutputError(f"cannot write {target}: it is a stream, and files are put in place whole; name a file")
        real = Path(os.path.realpath(target))
        is_free = real.is_file() or not real.exists()
    if not is_free:
        reason = "is a directory" if real.is_dir() else "not a regular file"
        raise OutputError(f"cannot write {target}: {reason}; choose another output file")
    return real


@contextlib.contextmanager
def partial_directory(
    target: Path, *, shown: Path | None = None, alone: bool = False, advice: str = _ELSEWHERE
) -> Iterator[Path]:
    """Yield a locked hidden directory beside `target`; whatever is still there when the block ends is removed.

    With `alone`, another writer at work on `target` is an `OutputError`.

    An `OSError` inside the block that says of the machine that its disk or its open files are at an end becomes an
    `OutputError` that names `shown`, or `target`, and says `advice`.
    """
    with contextlib.ExitStack() as stack:
        with _writing(shown or target, advice):
            target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(target)
            stage = _claim(target, stack)
            # Of two that begin at once each sees the other, and the names say which was first.
            if alone and any(other < stage.name for other in _sweep(target)):
                raise OutputError(
                    f"another process is writing {target}; wait for it, or choose another output directory"
                )
        try:
            yield stage
        except OutputError:
            raise
        except OSError as err:
            if err.errno in _OF_THE_MACHINE:
                raise _output_error(shown or target, err, advice) from err
            raise


def refuse_existing(target: Path) -> None:
    """Raise `OutputError` when `target` exists and is anything but an empty directory."""
    with _writing(target):
        occupied = target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir())))
    if occupied:
        raise OutputError(f"{target} already exists; choose another output directory or remove it")


def flush_tree(root: Path) -> None:
    """Flush every file and directory below `root`, then `root`, to disk."""
    for folder, _, files in os.walk(root):
        for name in files:
            flush(Path(folder, name))
        flush(Path(folder))


def flush(path: Path) -> None:
    """Flush one file or directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _claim(target: Path, stack: contextlib.ExitStack) -> Path:
    """Make a stage for `target` and lock it; another writer may sweep it in the instant before the lock holds.

    `stack` removes it. It knows the name, of 48 random bits, before the stage is made: so there is no instant in which
    a signal leaves a stage behind.
    """
    while True:
        began = f"{time.time_ns():016x}"
        stage = target.parent / f".{target.name}.{began}.{secrets.token_urlsafe(6)}{PARTIAL_SUFFIX}"
        stack.callback(_remove, stage)
        stage.mkdir()
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(stage, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if stage.exists():
                return stage


def _remove(folder: Path) -> None:
    """Remove a directory and all in it, as far as that can be, with one file open at a time: there may be no more."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:  # it has been put in place, or cannot be read
        return
    for entry in entries:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                _remove(Path(entry.path))
            else:
                Path(entry.path).unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _sweep(target: Path) -> list[str]:
    """Remove what writers of `target` that died have left; name the stages of those that live, and hold their locks."""
    living = []
    # As _claim names them: a wider pattern would take the stage of `run.1` for one of `run`.
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}\.[\w-]{{8}}{re.escape(PARTIAL_SUFFIX)}")
    for stale in target.parent.glob(f".{glob.escape(target.name)}.*{PARTIAL_SUFFIX}"):
        if not name.fullmatch(stale.name):
            continue
        try:
            descriptor = os.open(stale, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue  # gone by now, or no directory and so none of ours
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(stale)
        except BlockingIOError:
            living.append(stale.name)
        finally:
            os.close(descriptor)
    return living


def _is_stream(target: Path) -> bool:
    """Say whether a path is `-` or leads to an open file of a process, as /dev/stdout does; never mind to which."""
    path = target
    for _ in range(_MAX_LINKS):
        folder = Path(os.path.realpath(path.parent))
        if _OPEN_FILES.fullmatch(str(folder)):
            return True
        path = folder / path.name
        if not path.is_symlink():
            break
        path = folder / path.readlink()
    return str(target) == "-"


@contextlib.contextmanager
def _writing(target: Path, advice: str = _ELSEWHERE) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as err:
        raise _output_error(target, err, advice) from err


def _output_error(target: Path, err: OSError, advice: str) -> OutputError:
    # Making a folder where a file lies is "file exists" to the system; the target itself does not exist here.
    code = errno.ENOTDIR if err.errno == errno.EEXIST else err.errno
    reason = os.strerror(code) if code else str(err)
    if err.errno in _TOO_MANY_OPEN:
        return OutputError(f"cannot write {target}: {reason.lower()}; raise their limit with ulimit -n")
    remedy = "free space there" if err.errno in _FULL else "free the way"
    return OutputError(f"cannot write {target}: {reason.lower()}; {advice} or {remedy}")
