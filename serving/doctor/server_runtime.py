"""The embedded server's private environment, and the library that its workers load."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from polyrank.errors import ServerRuntimeError
from polyrank.serving.installer import MARKER
from polyrank.serving.libpython import LIBRARY, libpython_folder
from polyrank.serving.runtime import Accelerator, check_runtime, runtime_folder

from .finding import Finding


def findings(accelerator: Accelerator, *, search: Sequence[Path] | None = None) -> Iterator[Finding]:
    """Look at both.

    Args:
        accelerator: Which environment.
        search: Folders to look for libpython in; None takes the usual ones.
    """
    try:
        yield Finding.ok("libpython", f"{LIBRARY} in {libpython_folder(search)}")
    except ServerRuntimeError as err:
        yield Finding.fail("libpython", *_parted(err))
        return
    try:
        path = runtime_folder(accelerator)
        if not (path / MARKER).exists():
            yield Finding.warn(
                "server", "not installed yet", "`polyrank serve` installs it, or `polyrank server install`"
            )
            return
        runtime = check_runtime(accelerator=accelerator, libpython_search=search)
    except ServerRuntimeError as err:
        yield Finding.fail("server", *_parted(err))
        return
    versions = ", ".join(f"{name} {version}" for name, version in runtime.versions.items())
    yield Finding.ok("server", f"{versions} in {runtime.path}")


def _parted(err: ServerRuntimeError) -> tuple[str, str]:
    """Return what our message says that is, and what it says to do."""
    found, _, advice = str(err).partition("; ")
    return found, advice
