"""Chooses the ports a server listens on."""

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import msgspec

from polyrank.errors import ServerStartError
from polyrank.reasons import system_reason


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The three ports of a server: inference over HTTP, inference over gRPC, Prometheus metrics."""

    http: int
    grpc: int
    metrics: int


def choose_ports(host: str, wanted: Ports, *, http_host: str | None = None) -> Ports:
    """Return `wanted` with each 0 replaced by a port that is free now.

    Args:
        host: Address to listen on.
        wanted: Ports asked for.
        http_host: Address to listen on for HTTP; None takes `host`.

    Raises:
        ServerStartError: The host is no address of this machine, or a port asked for cannot be listened on.
    """
    with ExitStack() as held:  # all three stay bound until the last is chosen, so that no two are equal
        chosen = {
            name: held.enter_context(_bound((http_host or host) if name == "http" else host, name, port))
            for name, port in _named(wanted).items()
        }
    return Ports(**chosen)


def _named(ports: Ports) -> Mapping[str, int]:
    """Give the ports asked for first: a free one must not take their place."""
    return dict(sorted(msgspec.structs.asdict(ports).items(), key=lambda item: item[1] == 0))


@contextmanager
def _bound(host: str, name: str, port: int) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            listener.bind((host, port))
        except (OSError, ValueError, TypeError) as err:  # the last two: what cannot be a name of a machine
            if not isinstance(err, OSError) or isinstance(err, socket.gaierror) or err.errno == errno.EADDRNOTAVAIL:
                raise _no_address(host, err) from err
            raise ServerStartError(
                f"{name} port {port} on {host} cannot be used ({system_reason(err)}); "
                f"take any free one with --{name}-port 0"
            ) from err
        yield int(listener.getsockname()[1])


def _no_address(host: str, err: Exception) -> ServerStartError:
    reason = system_reason(err) if isinstance(err, OSError) else str(err).lower()
    return ServerStartError(
        f"host {host!r} is no IPv4 address of this machine ({reason}); take 127.0.0.1 to be reached from here alone, "
        f"or 0.0.0.0 for every address that it has"
    )
