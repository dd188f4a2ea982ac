"""What a server is started with: its private folder, its command, its environment."""

import fcntl
import logging
import os
import secrets
import shutil
import time
from pathlib import Path

import msgspec

from .encoder_files import copy_encoder
from .ending import remove_leftovers, shared_memory_prefix
from .locations import is_shell_safe, server_folder
from .ports import Ports
from .runtime import Runtime

_log = logging.getLogger(__name__)

_BACKENDS = Path(__file__).parent / "backends"
_LOCK = "lock"
_KEPT_LOGS = 20
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One start of a server.

    Attributes:
        runtime: The environment it runs in.
        repository: Its model repository.
        models: Names of the models it loads.
        host: Address it listens on.
        http_host: Address at which it listens for HTTP.
        ports: Ports it listens on.
        log_file: Where Triton and its workers write.
        folder: The server's private folder, which lives as long as the server.
        headers: What Triton asks of who controls it.
        options: Further options of Triton.
    """

    runtime: Runtime
    repository: Path
    models: tuple[str, ...]
    host: str
    http_host: str
    ports: Ports
    log_file: Path
    folder: Path
    headers: dict[str, str]
    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """Return Triton's command line."""
        prefix = shared_memory_prefix(self.folder)
        return [
            str(self.runtime.tritonserver),
            f"--model-repository={self._plain_repository()}",
            "--model-control-mode=explicit",
            *(f"--load-model={name}" for name in self.models),
            f"--backend-directory={self.folder / 'backends'}",
            f"--backend-config=python,shm-region-prefix-name={prefix}",
            # Completing configs costs one more worker start for each load; a published config is complete.
            "--disable-auto-complete-config",
            f"--http-address={self.http_host}",
            f"--grpc-address={self.host}",
            f"--metrics-address={self.host}",
            f"--http-port={self.ports.http}",
            f"--grpc-port={self.ports.grpc}",
            f"--metrics-port={self.ports.metrics}",
            *self.options,
        ]

    def _plain_repository(self) -> Path:
        """Return the repository, through a link when its path would not survive Triton's worker start."""
        if is_shell_safe(self.repository):
            return self.repository
        link = self.folder / "repository"
        if not link.is_symlink():
            link.symlink_to(self.repository)
        return link

    def environment(self) -> dict[str, str]:
        """Return the environment of Triton and its workers: the caller's, with the runtime's folders first."""
        kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
        return kept | {
            "PATH": _joined(self.runtime.path / "bin", then=kept.get("PATH")),
            "LD_LIBRARY_PATH": _joined(*self.runtime.libraries, then=kept.get("LD_LIBRARY_PATH")),
            "PYTHONNOUSERSITE": "1",
        }


def _joined(*folders: Path, then: str | None) -> str:
    return os.pathsep.join([*(str(folder) for folder in folders), *([then] if then else [])])


def make_folder(runtime: Runtime) -> tuple[Path, int]:
    """Make a server's private folder with its backends, and clear away those of dead servers.

    Returns:
        The folder, and the descriptor of its lock; whoever holds it open keeps the folder.
    """
    parent = server_folder() / "servers"
    parent.mkdir(parents=True, exist_ok=True)
    _clear_dead(parent)
    folder, lock = _locked_new(parent)
    try:
        _copy_backends(runtime, folder / "backends")
    except BaseException:
        remove_leftovers(folder)
        os.close(lock)
        raise
    return folder, lock


def _locked_new(parent: Path) -> tuple[Path, int]:
    while True:
        folder = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _LOCK).exists():  # another start may take it for a dead one's in the instant before the lock holds
            return folder, lock
        os.close(lock)


def _copy_backends(runtime: Runtime, backends: Path) -> None:
    """Copy, never link: Triton refuses a backend whose file lies elsewhere."""
    (backends / "python").mkdir(parents=True)
    for file in runtime.python_backend:
        shutil.copy(file, backends / "python")
    for model in _BACKENDS.glob("*/model.py"):
        (backends / model.parent.name).mkdir()
        shutil.copy(model, backends / model.parent.name)
    copy_encoder(backends / "polyrank")


def _clear_dead(parent: Path) -> None:
    """Remove what servers left whose supervisor and parent were both killed."""
    for folder in parent.iterdir():
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # being made, or being removed
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_leftovers(folder)
        except BlockingIOError:  # in use
            continue
        finally:
            os.close(lock)


def new_log_file() -> Path:
    """Return a fresh path for a log in the cache folder, where the newest 20 are kept."""
    folder = server_folder() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("server-*.log"))[: -_KEPT_LOGS + 1]:
        old.unlink(missing_ok=True)
    return folder / f"server-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}.log"
