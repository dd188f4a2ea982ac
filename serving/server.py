"""Starts and stops the embedded Triton server."""

import contextlib
import json
import logging
import os
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from polyrank.arguments import instance, path
from polyrank.errors import ServerStartError
from polyrank.reasons import system_reason

from .devices import devices, devices_line
from .ending import end_group, remove_leftovers
from .launch import Launch, make_folder, new_log_file
from .lockdown import CONTROL_HEADER, RESTRICTIONS, guard_words
from .ports import Ports, choose_ports
from .processes import listens, process
from .readiness import ServerLog, is_ready
from .runtime import Runtime, ensure_runtime
from .servable import backends, servable_models
from .server_config import ServerConfig, seconds, triton_words
from .supervising import reachable, start_supervisor

__all__ = ["Server", "ServerConfig", "serve"]

_log = logging.getLogger(__name__)

_POLL_S = 0.05
_PROGRESS_S = 2.0
_STOP_MARGIN_S = 10.0
_PORT_ATTEMPTS = 3
# Triton's own words; a port that was taken from the first is refused before Triton starts, in other words.
_PORT_RACE = re.compile("the server did not start: .*already in use")


class Server:
    """A running embedded server. It stops when the `with` block ends, on `stop`, or when this process dies.

    `serve` makes it; the constructor takes what it made.

    Attributes:
        pid: Triton's process id; another one after a restart.
    """

    def __init__(self, launch: Launch, config: ServerConfig, lock: int) -> None:
        self._launch = launch
        self._config = config
        self._log = ServerLog(launch.log_file)
        self._end = ""
        self._supervisor = start_supervisor(launch, config, lock)
        self.pid = self._supervisor.pid  # until it says that it started Triton
        if self._supervisor.stdout is not None:
            self._take(self._supervisor.stdout.readline())
            threading.Thread(target=self._listen, args=(self._supervisor.stdout,), daemon=True).start()

    @property
    def grpc_url(self) -> str:
        """`host:port` of the gRPC endpoint."""
        return f"{reachable(self._launch.host)}:{self._launch.ports.grpc}"

    @property
    def url(self) -> str:
        """URL of the HTTP endpoint, the faster one for our client."""
        return f"http://{reachable(self._launch.http_host)}:{self._launch.ports.http}"

    @property
    def metrics_url(self) -> str:
        """URL of the Prometheus metrics."""
        return f"http://{reachable(self._launch.host)}:{self._launch.ports.metrics}/metrics"

    @property
    def control_headers(self) -> dict[str, str]:
        """What requests carry that load, unload or list models; our clients of the same user find it themselves."""
        return dict(self._launch.headers)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that were loaded at the start."""
        return self._launch.models

    @property
    def log_file(self) -> Path:
        """Where Triton and its workers write."""
        return self._launch.log_file

    @property
    def devices(self) -> dict[str, str]:
        """On what each model that ONNX Runtime runs was loaded: "CPU", "CUDA", or both."""
        return devices(self._log.text())

    @property
    def is_alive(self) -> bool:
        """Whether the server runs, or is being started again."""
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
        cause = f"{self._end}; {self._log.cause()}" if self._end else self._log.cause()
        return f"{cause} (log: {self.log_file})"

    def stop(self, *, grace_s: float | None = None) -> None:
        """Stop the server and leave nothing behind; once stopped, do nothing.

        Args:
            grace_s: Seconds that requests in flight may take before the server is killed; None takes the config's.

        Raises:
            ConfigError: `grace_s` is no number, below 0, or more than a day.
        """
        grace_s = self._config.grace_s if grace_s is None else seconds("grace_s", grace_s, may_be_zero=True)
        self._order(f"stop {grace_s}")
        if self._supervisor.stdin is not None:
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

    def _order(self, order: str) -> None:
        """Tell the supervisor something, if it is there."""
        if self._supervisor.stdin is not None and not self._supervisor.stdin.closed:
            with contextlib.suppress(OSError):
                self._supervisor.stdin.write(f"{order}\n".encode())

    def _listen(self, stream: IO[bytes]) -> None:
        """Take what the supervisor says until it ends."""
        with stream:
            for line in stream:
                self._take(line)

    def _take(self, line: bytes) -> None:
        said = json.loads(line or "{}")
        self.pid = said.get("pid", self.pid)
        self._end = said.get("fail", self._end)
        if "tell" in said:
            _log.warning("%s", said["tell"])

    def _clear_up(self, grace_s: float) -> None:
        """Do the supervisor's last duties if it was killed before it could."""
        if self._supervisor.returncode < 0:
            end_group(self.pid, grace_s=grace_s, log=self.log_file, is_over=lambda: process(self.pid) is None)
            remove_leftovers(self._launch.folder)

    def _wait_until_ready(self, timeout_s: float) -> None:
        """Return when every model answers.

        Raises:
            ServerStartError: The server ended, a model failed to load, or the time is over.
        """
        start = told = time.monotonic()
        names = ", ".join(self.models)
        host, port = reachable(self._launch.http_host), self._launch.ports.http
        # Another server that took the port in this moment answers for the same models.
        while not (listens(self.pid, port) and is_ready(host, port, self.models)):
            now = time.monotonic()
            if not self.is_alive or self._log.load_failure():
                raise ServerStartError(f"the server did not start: {self.failure()}")
            if now - start > timeout_s:
                raise ServerStartError(f"the server was not ready after {timeout_s:g} s: {self.failure()}")
            if now - told > _PROGRESS_S:
                told = now
                _log.info("waiting for %s (%.0f s of %.0f s)", names, now - start, timeout_s)
            time.sleep(_POLL_S)
        self._order("watch")
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
        ConfigError: An argument is of a wrong type.
        RepositoryError: The repository holds no finished model, or not the one asked for, or a config cannot be read.
        ServerRuntimeError: The server's environment is unusable or cannot be installed.
        ServerStartError: It cannot listen at host or port, a model does not load, or it is not ready in time.
    """
    config = ServerConfig() if config is None else config
    instance("config", config, ServerConfig, "a ServerConfig")
    folder = path("repository", repository).absolute()
    names = servable_models(folder, models)
    backends(folder, names)  # what cannot be read is told here at once, and by Triton after seconds
    runtime = ensure_runtime(accelerator=config.accelerator)
    for _ in range(_PORT_ATTEMPTS - 1):
        try:
            return _start(runtime, folder, names, config)
        except ServerStartError as err:
            if not _PORT_RACE.match(str(err)):
                raise
            _log.info("a port was taken between its choice and the start; trying again")
    return _start(runtime, folder, names, config)


def _guard(config: ServerConfig) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the headers that control takes, and Triton's options for it where no other of the configuration ask."""
    if config.lockdown is not None:
        return config.lockdown.control_headers, ()
    if any(name in config.triton_options for name in RESTRICTIONS):
        return {}, ()
    key = secrets.token_urlsafe(32)
    return {CONTROL_HEADER: key}, guard_words(key)


def _start(runtime: Runtime, repository: Path, names: tuple[str, ...], config: ServerConfig) -> Server:
    wanted = Ports(http=config.http_port, grpc=config.grpc_port, metrics=config.metrics_port)
    http_host = "127.0.0.1" if config.is_http_local else config.host
    ports = choose_ports(config.host, wanted, http_host=http_host)
    try:
        log_file = (config.log_file or new_log_file()).absolute()
        folder, lock = make_folder(runtime)
    except OSError as err:
        raise ServerStartError(f"the server did not start: {system_reason(err)} ({err.filename})") from err
    headers, guard = _guard(config)
    launch = Launch(
        runtime=runtime,
        repository=repository,
        models=names,
        host=config.host,
        http_host=http_host,
        ports=ports,
        log_file=log_file,
        folder=folder,
        headers=headers,
        options=(*triton_words(config, config.tls.files if config.tls else {}), *guard),
    )
    _log.info("starting Triton with %s; log: %s", ", ".join(names), launch.log_file)
    server = Server(launch, config, lock)
    try:
        server._wait_until_ready(config.ready_timeout_s)  # noqa: SLF001 - this module's own
        _log.info("%s", devices_line(server.devices, config.accelerator))
    except BaseException:
        server.stop(grace_s=0.0)
        raise
    return server
