"""How a client calls a server."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, get_args

import msgspec

from polyrank.arguments import instance, integer, is_number, named, shown
from polyrank.errors import ConfigError
from polyrank.located import load_toml
from polyrank.reasons import system_reason

Compression = Literal["none", "gzip", "deflate"]

_OURS = {
    *("host", "connection", "content-length", "content-encoding", "transfer-encoding", "accept-encoding"),
    "inference-header-content-length",
}
_HEADER = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files for `https://` and `grpcs://`.

    Attributes:
        ca: certificates that vouch for the server; None takes those of the machine.
        certificate: of this client, where the server asks for one.
        key: of that certificate.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Check that certificate and key come together."""
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("tls.certificate and tls.key go together; give both or neither")

    def context(self) -> ssl.SSLContext:
        """Return them as Python's TLS takes them.

        Raises:
            ConfigError: a file cannot be read, or holds no certificate.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as err:  # ssl.SSLError too
            raise ConfigError(f"tls files cannot be used: {system_reason(err)}; give PEM files ({self})") from err
        return context

    def read(self, path: Path | None) -> bytes | None:
        """Return the bytes of a file.

        Raises:
            ConfigError: it cannot be read.
        """
        if path is None:
            return None
        try:
            return path.read_bytes()
        except OSError as err:
            raise ConfigError(f"tls file {path} cannot be read: {system_reason(err)}") from err


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a client calls a server.

    Attributes:
        attempts: how often a request is sent at most, within its deadline. Only what is safe is tried again: a
            connection that was not made or broke, a full queue, a model that is not back yet. A server that never
            answered gets 10, so that a wrong address is told soon.
        backoff_s: wait before the second attempt at most; doubled for each further one, and drawn evenly from 0 on.
        backoff_limit_s: wait before any attempt at most.
        attempt_timeout_s: time for one attempt; None gives each all that is left of the deadline.
        hedge_after_s: a request without an answer after so long is sent a second time, to another server where there
            are several, and the first answer counts; None never.
        parallel: parts of a call, and requests of threads, that a connection pool keeps open at once.
        shared_memory: whether large requests lie in memory that a server on this machine reads; over HTTP alone.
        compression: of what is sent and received; pays on slow networks alone.
        headers: sent with every request, such as keys of restricted protocols.
        tls: files for `https://` and `grpcs://`.
    """

    attempts: int = 30
    backoff_s: float = 0.02
    backoff_limit_s: float = 0.5
    attempt_timeout_s: float | None = None
    hedge_after_s: float | None = None
    parallel: int = 8
    shared_memory: bool = False
    compression: Compression = "none"
    headers: Mapping[str, str] = {}
    tls: TlsFiles = TlsFiles()

    def __post_init__(self) -> None:
        """Check types and ranges."""
        for name in ("attempts", "parallel"):
            integer(name, getattr(self, name), range(1, 1001), "[1, 1000]")
        for name in ("backoff_s", "backoff_limit_s", "attempt_timeout_s", "hedge_after_s"):
            _check_seconds(name, getattr(self, name), is_optional=name in ("attempt_timeout_s", "hedge_after_s"))
        instance("shared_memory", self.shared_memory, bool, "true or false")
        if self.compression not in get_args(Compression):
            raise ConfigError(
                f"compression must be one of {', '.join(get_args(Compression))}, got {self.compression!r}"
            )
        if not isinstance(self.tls, TlsFiles):
            raise ConfigError(f"tls must be TlsFiles(ca=..., certificate=..., key=...), got {named(self.tls)}")
        if not isinstance(self.headers, Mapping):
            raise ConfigError(f"headers must be a dict of text by name, got {named(self.headers)}")
        if self.shared_memory and self.compression != "none":
            raise ConfigError("shared_memory and compression exclude each other; leave one of them out")
        for name, value in self.headers.items():
            _check_header(name, value)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file; paths in it are relative to its folder.

        Raises:
            ConfigError: the file cannot be read, is not TOML, or holds a wrong key or value.
        """
        found = load_toml(path, cls, "client options")
        home = Path(path).parent
        files = {name: getattr(found.tls, name) for name in found.tls.__struct_fields__}
        tls = TlsFiles(**{name: None if file is None else home / file for name, file in files.items()})
        return msgspec.structs.replace(found, tls=tls)


def _check_seconds(name: str, value: object, *, is_optional: bool) -> None:
    if value is None and is_optional:
        return
    if not is_number(value) or not 0 < value < 3600:  # noqa: PLR2004
        raise ConfigError(f"{name} must be above 0 and below 3600, got {shown(value)}")


def _check_header(name: object, value: object) -> None:
    is_name = isinstance(name, str) and name and _HEADER.issuperset(name)
    if not is_name or not isinstance(value, str) or not value.isprintable() or not value.isascii():
        raise ConfigError(f"headers must be ASCII without line ends, and that of {shown(name)} is not")
    lower = str(name).lower()
    if lower in _OURS or lower.startswith("grpc-") or lower.endswith("-bin"):
        raise ConfigError(f"headers must not hold {name!r}, which belongs to the protocol")
