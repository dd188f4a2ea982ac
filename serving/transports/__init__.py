"""Two ways to a server, HTTP and gRPC, each blocking or for asyncio."""

from polyrank.serving.addresses import Address
from polyrank.serving.calls import SERVER_READY, Transport
from polyrank.serving.failures import Failure, Kind
from polyrank.serving.options import ClientOptions


async def open_transport(
    address: Address, options: ClientOptions, timeout_s: float, *, is_async: bool = False
) -> Transport:
    """Return the transport that the scheme of an address names.

    Without a scheme the server is asked over HTTP, which takes 0.3 ms less for a call of 100 rows (docs/benchmarks.md);
    a port that answers something else is one for gRPC.

    Raises:
        Failure: the address has no scheme, and no server answers there.
    """
    if address.scheme in ("grpc", "grpcs"):
        return _grpc(address, options, is_async=is_async)
    http = _http(address, options, is_async=is_async)
    if address.scheme is not None:
        return http
    try:
        await http.ask(SERVER_READY, timeout_s)
    except Failure as failure:
        await http.close()
        if failure.kind is not Kind.FOREIGN:
            raise
        return _grpc(address, options, is_async=is_async)
    return http


def _http(address: Address, options: ClientOptions, *, is_async: bool) -> Transport:
    from .http import HttpTransport

    return HttpTransport(address, options, is_async=is_async)


def _grpc(address: Address, options: ClientOptions, *, is_async: bool) -> Transport:
    from .grpc import GrpcTransport

    return GrpcTransport(address, options, is_async=is_async)
