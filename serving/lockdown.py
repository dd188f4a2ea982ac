"""What of a server takes a key: all that changes or watches it, and inference too where that is asked for."""

import ipaddress
import re
import secrets

import msgspec

from polyrank.arguments import text
from polyrank.errors import ConfigError

_CONTROL = "model-repository,shared-memory,statistics,trace,logging"
_DANGEROUS = "model-repository,trace,logging"
"""Of these orders to load bring code, and settings of traces and the log name files."""
_INFERENCE = "inference,metadata,model-config"
_GRPC_PREFIX = "triton-grpc-protocol-"
"""Triton looks for a key of gRPC under its name with this before it; over HTTP it is given the same name."""
_CONTROL_KEY = "control-key"
_INFERENCE_KEY = "inference-key"
CONTROL_HEADER = _GRPC_PREFIX + _CONTROL_KEY
"""The header of the control key, over HTTP and gRPC alike."""
_KEY = re.compile(r"[A-Za-z0-9._~-]{16,200}")

RESTRICTIONS = ("http-restricted-api", "grpc-restricted-protocol")
"""The options of Triton that a lock-down sets."""


class Lockdown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of a server; whoever does not send them is refused. HTTP, which has no TLS, then stays on 127.0.0.1.

    Attributes:
        control_key: to load and unload models, register shared memory, and read or set statistics, traces and the log;
            16 to 200 letters, digits, `.`, `_`, `~` and `-`. A fresh one unless given, so that nobody has it but
            who made this object and the server's supervisor.
        inference_key: of the same form, to ask a model anything; None lets everybody who reaches the server.
    """

    control_key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(32))
    inference_key: str | None = None

    def __post_init__(self) -> None:
        """Check both keys, and tell neither."""
        check_key("control_key", self.control_key)
        if self.inference_key is not None:
            check_key("inference_key", self.inference_key)

    def __repr__(self) -> str:
        """Return what a log may hold: no key."""
        return f"Lockdown(inference_key={'None' if self.inference_key is None else '...'})"

    @property
    def inference_headers(self) -> dict[str, str]:
        """Headers with which models answer, for `ClientOptions`, over HTTP and gRPC alike; none without a key."""
        return {} if self.inference_key is None else {_GRPC_PREFIX + _INFERENCE_KEY: self.inference_key}

    @property
    def control_headers(self) -> dict[str, str]:
        """Headers with which the server does everything, for the `ClientOptions` of a `ModelControl`."""
        return {CONTROL_HEADER: self.control_key, **self.inference_headers}

    @property
    def triton_words(self) -> tuple[str, ...]:
        """Triton's options."""
        control = _restricted(_CONTROL, _CONTROL_KEY, self.control_key)
        if self.inference_key is None:
            return control
        return (*control, *_restricted(_INFERENCE, _INFERENCE_KEY, self.inference_key))


def guard_words(key: str) -> tuple[str, ...]:
    """Return Triton's options with which what could run code or write files takes a key, and nothing else does."""
    return _restricted(_DANGEROUS, _CONTROL_KEY, key)


def check_key(name: str, value: object) -> None:
    """Refuse what is no key, without repeating it.

    Raises:
        ConfigError: `value` is no text, or not of the form that a key has.
    """
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        length = f"{len(value)} characters" if isinstance(value, str) else type(value).__name__
        raise ConfigError(f"{name} must be 16 to 200 letters, digits, '.', '_', '~' and '-', got {length}")


def check_reach(host: str, *, has_tls: bool) -> None:
    """Refuse to send keys over a network in the clear.

    Args:
        host: The address that the server listens on.
        has_tls: Whether its gRPC endpoint is secured.

    Raises:
        ConfigError: It is reached from other machines, without TLS.
    """
    if not has_tls and not _is_loopback(text("host", host)):
        raise ConfigError(
            f"host must be 127.0.0.1 in a lock-down without TLS, got {host!r}; give a certificate and key"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _restricted(protocols: str, name: str, key: str) -> tuple[str, str]:
    http, grpc = RESTRICTIONS
    return f"--{http}={protocols}:{_GRPC_PREFIX}{name}={key}", f"--{grpc}={protocols}:{name}={key}"
