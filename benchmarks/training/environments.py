"""Virtual environments of peers, made once in the cache folder: exact versions, away from our own packages."""

import dataclasses
import hashlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

from polyrank.caches import cache_folder
from polyrank.virtual_environments import CommandError, locked, make_environment

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
MARKER = ".complete"


@dataclasses.dataclass(frozen=True)
class Environment:
    """What a peer needs: its packages, each with its version; PyTorch, where it needs it, is that of this process."""

    name: str
    packages: tuple[str, ...]
    needs_torch: bool = True

    @property
    def pins(self) -> tuple[str, ...]:
        """Every package that is asked for."""
        torch = (f"torch=={version('torch').partition('+')[0]}",) if self.needs_torch else ()
        return (*self.packages, *torch)

    def python(self) -> Path:
        """Return the interpreter of the environment, which is made first when absent: a minute, 1.3 GB with PyTorch.

        Raises:
            SystemExit: a package cannot be installed.
        """
        key = hashlib.sha256("\n".join(self.pins).encode()).hexdigest()[:12]
        folder = cache_folder() / "benchmarks" / f"{self.name}-py{sys.version_info.major}{sys.version_info.minor}-{key}"
        with locked(folder.with_name(f"{folder.name}.lock")) as lock:
            if not (folder / MARKER).exists():
                self._make(folder, lock)
        return folder / "bin" / "python"

    def _make(self, folder: Path, lock: int) -> None:
        print(f"installing {', '.join(self.pins)} in {folder} ...", file=sys.stderr, flush=True)
        pins = ("--constraint", str(CONSTRAINTS)) if self.needs_torch else ()  # for a PyTorch without CUDA
        try:
            make_environment(folder, (*pins, *self.pins), lock=lock, with_dependencies=True)
        except CommandError as err:
            raise SystemExit(f"{', '.join(self.pins)} cannot be installed: {err}") from err
        (folder / MARKER).touch()


RECHUB = Environment("torch-rechub", ("torch-rechub==0.9.0",))
DEEPCTR = Environment("deepctr-torch", ("deepctr-torch==0.3.0", "requests==2.34.2"))  # it imports what it does not name


def clean_environment() -> dict[str, str]:
    """Return the environment variables of a process with other packages, and with one thread."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
