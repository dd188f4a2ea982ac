"""How an embedded server listens, starts, lives and ends."""

from pathlib import Path

import msgspec

from polyrank.errors import ConfigError

from .runtime import Accelerator
from .triton_options import ServerTls, check_options

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
        restarts: How often Triton is started again within ten minutes when it ended by itself or hangs, with the models
            that it had; 0 leaves it as it is.
        hang_s: Seconds without an answer after which Triton hangs.
        grace_s: Seconds that requests in flight may take when the server stops, before it is killed.
        tls: How the gRPC endpoint is secured; None leaves it plain. With it HTTP, which Triton has no TLS for, listens
            on 127.0.0.1 alone, whatever `host` is.
        log_verbose: How much Triton logs of each request, its id among it; 0 is nothing.
        triton_options: Further options of Triton, values by name, as `{"http-thread-count": "16"}`.
    """

    host: str = "127.0.0.1"
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    ready_timeout_s: float = 60.0
    log_file: Path | None = None
    accelerator: Accelerator = "cpu"
    restarts: int = 0
    hang_s: float = 30.0
    grace_s: float = 10.0
    tls: ServerTls | None = None
    log_verbose: int = 0
    triton_options: dict[str, str] = {}

    def __post_init__(self) -> None:
        ports = {"http_port": self.http_port, "grpc_port": self.grpc_port, "metrics_port": self.metrics_port}
        for name, port in ports.items():
            if not 0 <= port <= _MAX_PORT:
                raise ConfigError(f"{name} must be in [0, {_MAX_PORT}], got {port}")
        chosen = [port for port in ports.values() if port]
        if len(set(chosen)) < len(chosen):
            raise ConfigError(f"the three ports must differ, got {', '.join(f'{k} {v}' for k, v in ports.items())}")
        for name, seconds in (("ready_timeout_s", self.ready_timeout_s), ("hang_s", self.hang_s)):
            if not seconds > 0:
                raise ConfigError(f"{name} must be above 0, got {seconds}")
        for name, number in (("restarts", self.restarts), ("grace_s", self.grace_s), ("log_verbose", self.log_verbose)):
            if not number >= 0:
                raise ConfigError(f"{name} must be 0 or above, got {number}")
        check_options(self.triton_options)
