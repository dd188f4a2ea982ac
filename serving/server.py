"""Starts and stops the embedded Triton server."""

import contextlib
import logging
import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from polyrank.errors import ConfigError, ServerStartError

from .launch import Launch, make_folder, new_log_file
from .ports import Ports, choose_ports
from .readiness import ServerLog, is_ready
from .runtime import Accelerator, Runtime, ensure_runtime
from .servable import servable_models
from .supervisor import end_group, remove_leftovers

_log = logging.getLogger(__name__)

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_POLL_S = 0.05
_PROGRESS_S = 2.0
_STOP_MARGIN_S = 10.0
_PORT_ATTEMPTS = 3
# Triton's own words; a port that was taken from the first is refused before Triton starts, in other words.
_PORT_RACE = re.compile("the server did not start: .*already in use")
_MAX_PORT = 65_535


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server listens and starts.

    Attributes:
        host: IPv4 address to listen on; the default is reachable from this machine alone.
        http_port: Port for inference over HTTP; 0 takes a free one.
        grpc_port: Port for inference over gRPC; 0 takes a free one.
        metrics_port: Port for Prometheus metrics; 0 takes a free one.
        ready_timeout_s: Seconds until every model must be ready.
        log_file: Where Triton writes, appended to; None takes a fresh file in the cache folder.
        accelerator: Which ONNX Runtime the server's environment holds.
    """

    host: str = "127.0.0.1"
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    ready_timeout_s: float = 60.0
    log_file: Path | None = None
    accelerator: Accelerator = "cpu"

    def __post_init__(self) -> None:
        ports = {"http_port": self.http_port, "grpc_port": self.grpc_port, "metrics_port": self.metrics_port}
        for name, port in ports.items():
            if not 0 <= port <= _MAX_PORT:
                raise ConfigError(f"{name} must be in [0, {_MAX_PORT}], got {port}")
        chosen = [port for port in ports.values() if port]
        if len(set(chosen)) < len(chosen):
            raise ConfigError(f"the three ports must differ, got {', '.join(f'{k} {v}' for k, v in ports.items())}")
        if not self.ready_timeout_s > 0:
            raise ConfigError(f"ready_timeout_s must be above 0, got {self.ready_timeout_s}")


class Server:
    """A running embedded server. It stops when the `with` block ends, on `stop`, or when this process dies.

    `serve` makes it; the constructor takes what it made.
    """

    def __init__(self, launch: Launch, lock: int) -> None:
        self._launch = launch
        self._log = ServerLog(launch.log_file)
        self._supervisor = _start_supervisor(launch, lock)
        self.pid = _read_pid(self._supervisor)

    @property
    def url(self) -> str:
        """`host:port` for a gRPC client."""
        return f"{self._reachable_host}:{self._launch.ports.grpc}"

    @property
    def http_url(self) -> str:
        """URL of the HTTP endpoint."""
        return f"http://{self._reachable_host}:{self._launch.ports.http}"

    @property
    def metrics_url(self) -> str:
        """URL of the Prometheus metrics."""
        return f"http://{self._reachable_host}:{self._launch.ports.metrics}/metrics"

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that were loaded at the start."""
        return self._launch.models

    @property
    def log_file(self) -> Path:
        """Where Triton and its workers write."""
        return self._launch.log_file

    @property
    def is_alive(self) -> bool:
        """Whether the server runs."""
        return self._supervisor.poll() is None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the server has ended, by whatever cause.

        Args:
            timeout_s: Seconds to wait at most; None waits on.

        Returns:
            Whether it has ended.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._supervisor.wait(timeout_s)
        return not self.is_alive

    def failure(self) -> str:
        """Return the line of the log that says best why the server ended, with the log's path."""
        return f"{self._log.cause()} (log: {self.log_file})"

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Stop the server and leave nothing behind; once stopped, do nothing.

        Args:
            grace_s: Seconds that requests in flight may take before the server is killed.
        """
        if self._supervisor.stdin is not None and not self._supervisor.stdin.closed:
            with contextlib.suppress(OSError):  # the supervisor is gone already
                self._supervisor.stdin.write(f"stop {grace_s}\n".encode())
            self._supervisor.stdin.close()
        if not self.wait(grace_s + _STOP_MARGIN_S):
            self._supervisor.kill()
            self._supervisor.wait()
        self._clear_up(grace_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _reachable_host(self) -> str:
        return "127.0.0.1" if self._launch.host == "0.0.0.0" else self._launch.host  # noqa: S104 - a comparison

    def _clear_up(self, grace_s: float) -> None:
        """Do the supervisor's last duties if it was killed before it could."""
        if self._supervisor.returncode < 0:
            end_group(self.pid, grace_s=grace_s, log=self.log_file, is_over=lambda: not _is_running(self.pid))
            remove_leftovers(self._launch.folder)

    def _wait_until_ready(self, timeout_s: float) -> None:
        """Return when every model answers.

        Raises:
            ServerStartError: The server ended, a model failed to load, or the time is over.
        """
        start = told = time.monotonic()
        names = ", ".join(self.models)
        while not is_ready(self._reachable_host, self._launch.ports.http, self.models):
            now = time.monotonic()
            if not self.is_alive or self._log.load_failure():
                raise ServerStartError(f"the server did not start: {self.failure()}")
            if now - start > timeout_s:
                raise ServerStartError(f"the server was not ready after {timeout_s:g} s: {self.failure()}")
            if now - told > _PROGRESS_S:
                told = now
                _log.info("waiting for %s (%.0f s of %.0f s)", names, now - start, timeout_s)
            time.sleep(_POLL_S)
        _log.info("ready after %.1f s", time.monotonic() - start)


def serve(
    repository: str | os.PathLike[str], *, models: Sequence[str] | None = None, config: ServerConfig | None = None
) -> Server:
    """Start the embedded Triton server on a model repository and wait until its models are ready.

    Args:
        repository: Triton model repository, as `polyrank publish` makes it.
        models: Names of the models to load; None loads every finished one.
        config: How it listens and starts; None listens on free ports of this machine alone.

    Returns:
        The running server; use it as a context manager.

    Raises:
        RepositoryError: The repository holds no finished model, or not the one asked for.
        ServerRuntimeError: The server's environment is unusable or cannot be installed.
        ServerStartError: A port is taken, a model does not load, or the server is not ready in time.
    """
    config = config or ServerConfig()
    folder = Path(repository).absolute()
    names = servable_models(folder, models)
    runtime = ensure_runtime(accelerator=config.accelerator)
    for _ in range(_PORT_ATTEMPTS - 1):
        try:
            return _start(runtime, folder, names, config)
        except ServerStartError as err:
            if not _PORT_RACE.match(str(err)):
                raise
            _log.info("a port was taken between its choice and the start; trying again")
    return _start(runtime, folder, names, config)


def _start(runtime: Runtime, repository: Path, names: tuple[str, ...], config: ServerConfig) -> Server:
    wanted = Ports(http=config.http_port, grpc=config.grpc_port, metrics=config.metrics_port)
    ports = choose_ports(config.host, wanted)
    try:
        log_file = (config.log_file or new_log_file()).absolute()
        folder, lock = make_folder(runtime)
    except OSError as err:
        raise ServerStartError(f"the server did not start: {err.strerror or err} ({err.filename})") from err
    launch = Launch(
        runtime=runtime,
        repository=repository,
        models=names,
        host=config.host,
        ports=ports,
        log_file=log_file,
        folder=folder,
    )
    _log.info("starting Triton with %s; log: %s", ", ".join(names), launch.log_file)
    server = Server(launch, lock)
    try:
        server._wait_until_ready(config.ready_timeout_s)  # noqa: SLF001 - this module's own
    except BaseException:
        server.stop(grace_s=0.0)
        raise
    return server


def _start_supervisor(launch: Launch, lock: int) -> "subprocess.Popen[bytes]":
    """Start the supervisor in a session of its own, so that Ctrl-C reaches the caller alone."""
    try:
        launch.log_file.parent.mkdir(parents=True, exist_ok=True)
        with launch.log_file.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own script and command
                [*_supervisor_command(launch), *launch.command()],
                bufsize=0,  # a buffer would be written once more, to a closed pipe, when it is closed
                env=launch.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
    except OSError as err:
        remove_leftovers(launch.folder)
        raise ServerStartError(f"the server did not start: {err.strerror or err} ({err.filename})") from err
    finally:
        os.close(lock)


def _supervisor_command(launch: Launch) -> list[str]:
    script = [str(launch.runtime.python), "-I", "-S", str(_SUPERVISOR)]
    return [*script, str(launch.folder), str(launch.log_file)]


def _read_pid(supervisor: "subprocess.Popen[bytes]") -> int:
    """Return Triton's process id; the supervisor's own when it could not start Triton."""
    if supervisor.stdout is None:  # never: it was started with a pipe
        return supervisor.pid
    with supervisor.stdout as stream:
        return int(stream.readline() or supervisor.pid)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
