"""Where a server listens, as users write it."""

import re
from typing import Literal

import msgspec

from polyrank.arguments import is_number, shown
from polyrank.errors import ConfigError

Scheme = Literal["http", "https", "grpc", "grpcs"]

# gRPC would take a missing port for 443 and one above 65535 modulo 65536.
_URL = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]@]+):(?P<port>[0-9]{1,5})/?")

_LONGEST_S = 1_000_000


class Address(msgspec.Struct, frozen=True):
    """Host and port of one endpoint. `scheme` is None where the server shall tell whether it speaks HTTP or gRPC."""

    scheme: Scheme | None
    host: str
    port: int

    @property
    def place(self) -> str:
        """`host:port`, as messages name it."""
        return f"{self.host}:{self.port}"

    @property
    def bare_host(self) -> str:
        """The host without the brackets of an IPv6 address."""
        return self.host.strip("[]")

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return self.scheme in ("https", "grpcs")


def address_of(url: str) -> Address:
    """Read `host:port`, with or without `http://`, `https://`, `grpc://` or `grpcs://` before it.

    Raises:
        ConfigError: it is none.
    """
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    is_known = match is not None and match["scheme"] in (None, "http", "https", "grpc", "grpcs")
    if match is None or not is_known or not 0 < int(match["port"]) < 2**16:
        raise ConfigError(
            f"url must be host:port of the server, as in localhost:8000, http://localhost:8000 or "
            f"grpc://localhost:8001 (https, grpcs), got {url!r}"
        )
    return msgspec.convert({"scheme": match["scheme"], "host": match["host"], "port": int(match["port"])}, Address)


def check_timeout(timeout_s: float) -> None:
    """Refuse what cannot be a deadline.

    Raises:
        ConfigError: it is not above 0 and at most eleven days, since sockets count milliseconds in 32 bits.
    """
    if not is_number(timeout_s) or not 0 < timeout_s <= _LONGEST_S:
        raise ConfigError(f"timeout_s must be above 0 and at most {_LONGEST_S:,} seconds, got {shown(timeout_s)}")
