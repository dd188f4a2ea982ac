"""The page's web server: on this machine alone, until it is told to stop."""

import socket

import uvicorn
from starlette.applications import Starlette

from polyrank.errors import ConfigError
from polyrank.reasons import system_reason

LOOPBACK = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """Take a port of this machine; 0 takes a free one.

    Raises:
        ConfigError: it is no port, or it is taken.
    """
    if not 0 <= port < 2**16:
        raise ConfigError(f"port must be in [0, 65535], got {port}")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError as err:
        listener.close()
        reason = system_reason(err)
        raise ConfigError(f"port {port} cannot be listened on: {reason}; choose another, or 0 for a free one") from err
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the page's address."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


def run(app: Starlette, listener: socket.socket) -> None:
    """Answer until SIGINT or SIGTERM, which reaches the handlers of before once all is closed."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", http="h11", timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listener])
