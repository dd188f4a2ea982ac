"""Finds the shared library of the running Python, which Triton's worker process is linked to."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyrank.errors import ServerRuntimeError

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBRARY = f"libpython{VERSION}.so.1.0"


def libpython_folder(search: Sequence[Path] | None = None) -> Path:
    """Return the folder that holds `libpython3.X.so.1.0`.

    Args:
        search: Folders to look in; by default Python's own, then those of the dynamic linker.

    Raises:
        ServerRuntimeError: None of them holds it.
    """
    folders = tuple(_default_folders()) if search is None else tuple(search)
    for folder in folders:
        if (folder / LIBRARY).is_file():
            return folder
    looked = ", ".join(str(folder) for folder in folders) or "no folder"
    raise ServerRuntimeError(
        f"{LIBRARY} is missing (looked in {looked}); the server's workers need it: "
        f"`apt-get install libpython{VERSION}`, or a Python built with --enable-shared"
    )


def _default_folders() -> Iterator[Path]:
    configured = sysconfig.get_config_var("LIBDIR")
    if configured:
        yield Path(configured)
    yield Path(sys.base_prefix) / "lib"
    yield from (Path(each) for each in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if each)
    yield from _linker_folders()
    triplet = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    yield from (Path(each) for each in (f"/usr/lib/{triplet}", "/usr/lib64", "/usr/lib", "/usr/local/lib"))


def _linker_folders() -> Iterator[Path]:
    """Give the folders where the dynamic linker's cache has the library."""
    environment = os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin"}
    try:
        listing = subprocess.run(
            ["ldconfig", "-p"],  # noqa: S607 - its folder differs between distributions
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except OSError:  # no ldconfig here: the standard folders follow
        return
    for line in listing.splitlines():
        name, _, path = line.strip().partition(" => ")
        if name.startswith(f"{LIBRARY} ") and path:
            yield Path(path).parent
