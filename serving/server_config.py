"""How an embedded server listens, starts, lives and ends."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import msgspec

from polyrank.arguments import instance, integer, is_number, shown, text
from polyrank.errors import ConfigError

from .lockdown import RESTRICTIONS, Lockdown, check_reach
from .runtime import Accelerator
from .triton_options import ServerTls, check_options, option_words, tls_words

_PORTS = ("http_port", "grpc_port", "metrics_port")
_MOST = dict.fromkeys(_PORTS, 65_535) | {"restarts": 1_000, "log_verbose": 100}
"""The largest of each integer; the smallest is 0."""
MAX_S = 86_400.0
"""A day, which is more than any wait of a server needs to be, and less than what Triton and a clock can count."""


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server listens and starts.

    Attributes:
        host: IPv4 address to listen on; the default is reachable from this machine alone.
        http_port: Port for inference over HTTP; 0 takes a free one.
        grpc_port: Port for inference over gRPC; 0 takes a free one.
        metrics_port: Port for Prometheus metrics; 0 takes a free one.
        ready_timeout_s: Seconds until every model must be ready; above 0 and, as all seconds here, at most 86,400.
        log_file: Where Triton writes, appended to; None takes a fresh file in the cache folder.
        accelerator: Which ONNX Runtime the server's environment holds.
        restarts: How often Triton is started again within ten minutes when it ended by itself or hangs, with the models
            that it had; 0 leaves it as it is, 1,000 is the most.
        hang_s: Seconds without an answer after which Triton hangs; above 0.
        grace_s: Seconds that requests in flight may take when the server stops, before it is killed.
        tls: How the gRPC endpoint is secured; None leaves it plain. With it HTTP, which Triton has no TLS for, listens
            on 127.0.0.1 alone, whatever `host` is.
        lockdown: Which keys the server asks for; None asks for none. With it too HTTP listens on 127.0.0.1 alone, and
            another `host` takes `tls`.
        log_verbose: How much Triton logs of each request, its id among it; 0 is nothing, 100 the most.
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
    lockdown: Lockdown | None = None
    log_verbose: int = 0
    triton_options: dict[str, str] = {}

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            number = integer(name, getattr(self, name), range(most + 1), f"[0, {most}]")
            msgspec.structs.force_setattr(self, name, number)
        for name in ("ready_timeout_s", "hang_s", "grace_s"):
            found = seconds(name, getattr(self, name), may_be_zero=name == "grace_s")
            msgspec.structs.force_setattr(self, name, found)
        ports = {name: getattr(self, name) for name in _PORTS}
        chosen = [port for port in ports.values() if port]
        if len(set(chosen)) < len(chosen):
            got = ", ".join(f"{port} for {name.removesuffix('_port')}" for name, port in ports.items())
            raise ConfigError(f"the three ports must differ, got {got}")
        self._check_types()
        check_options(self.triton_options)
        self._check_lockdown()

    @property
    def is_http_local(self) -> bool:
        """Whether HTTP listens on 127.0.0.1 alone, since Triton cannot secure it."""
        return self.tls is not None or self.lockdown is not None

    def _check_types(self) -> None:
        if not text("host", self.host):
            raise ConfigError("host must be an IPv4 address of this machine, got ''; 0.0.0.0 is every one that it has")
        if self.accelerator not in get_args(Accelerator):
            kinds = " or ".join(map(repr, get_args(Accelerator)))
            raise ConfigError(f"accelerator must be {kinds}, got {shown(self.accelerator)}")
        instance("log_file", self.log_file, Path | None, "a pathlib.Path or None")
        instance("tls", self.tls, ServerTls | None, "a ServerTls or None")
        instance("lockdown", self.lockdown, Lockdown | None, "a Lockdown or None")
        instance("triton_options", self.triton_options, dict, "a dict of texts by name")

    def _check_lockdown(self) -> None:
        if self.lockdown is None:
            return
        check_reach(self.host, has_tls=self.tls is not None)
        for name in RESTRICTIONS:
            if name in self.triton_options:
                raise ConfigError(f"triton option {name} is set by the lock-down; leave out one of the two")


def triton_words(config: ServerConfig, tls: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the options of Triton that follow from a configuration, but for where it listens.

    Args:
        config: How it listens and starts.
        tls: The files of its `tls`, as they lie where Triton runs.
    """
    return (
        f"--allow-gpu-metrics={'true' if config.accelerator == 'gpu' else 'false'}",
        f"--exit-timeout-secs={max(1, math.ceil(config.grace_s))}",
        f"--log-verbose={config.log_verbose}",
        *(tls_words(tls) if tls else ()),
        *(config.lockdown.triton_words if config.lockdown else ()),
        *option_words(config.triton_options),
    )


def seconds(name: str, value: object, *, may_be_zero: bool = False) -> float:
    """Return `value`, a number of seconds that a server may wait.

    Raises:
        ConfigError: it is no number, not above 0 (or below it, where it may be 0), or more than a day.
    """
    is_allowed = is_number(value) and (0 < value <= MAX_S or (may_be_zero and value == 0))
    if not is_allowed:
        raise ConfigError(f"{name} must be in {'[' if may_be_zero else '('}0, {MAX_S:.0f}] seconds, got {shown(value)}")
    return float(value)  # type: ignore[arg-type]
