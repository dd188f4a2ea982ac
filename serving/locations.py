"""Where the embedded server keeps what it makes: its runtime environments, its running servers, its logs."""

import re
from pathlib import Path

from polyrank.caches import cache_folder
from polyrank.errors import ServerRuntimeError

# Triton's Python backend starts its workers with `bash -c "exec <path> ..."` and does not quote the path.
_SHELL_SAFE = re.compile(r"[A-Za-z0-9_./+@,=-]+")


def is_shell_safe(path: Path) -> bool:
    """Return whether a shell takes the path as one plain word."""
    return _SHELL_SAFE.fullmatch(str(path)) is not None


def server_folder() -> Path:
    """Return the cache folder, for everything that can be made anew.

    Raises:
        ServerRuntimeError: The path holds a character, such as a space, that Triton's worker start cannot take.
    """
    folder = cache_folder()
    if not is_shell_safe(folder):
        raise ServerRuntimeError(
            f"cache folder {str(folder)!r} holds a character that Triton's worker start cannot take; "
            "set POLYRANK_CACHE_DIR to a path of letters, digits, '_', '-' and '.'"
        )
    return folder
