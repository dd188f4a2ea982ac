"""The ports that a server takes unless told otherwise, and who has them."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from polyrank.errors import ServerRuntimeError
from polyrank.serving.locations import server_folder
from polyrank.serving.processes import command_line, listener

from .finding import Finding

PORTS = {"http": 8000, "grpc": 8001, "metrics": 8002}


def findings(ports: Mapping[str, int] = PORTS) -> Iterator[Finding]:
    """Look at each.

    Args:
        ports: Numbers by what they are for.
    """
    for name, port in ports.items():
        yield _port(name, port)


def _port(name: str, port: int) -> Finding:
    title = f"{name} port"
    if _is_free(port):
        return Finding.ok(title, f"{port} is free")
    pid = listener(port)
    words = command_line(pid) if pid is not None else []
    if _is_ours(words):
        return Finding.ok(title, f"{port} is used by an embedded server (Triton, process {pid})")
    who = f"{Path(words[0]).name} (process {pid})" if words else "a process of somebody else"
    advice = f"stop it, or take a free port with --{name}-port 0"
    return Finding.warn(title, f"{port} is used by {who}", advice)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _is_ours(words: list[str]) -> bool:
    try:
        folder = server_folder()
    except ServerRuntimeError:  # a cache where no server can live
        return False
    return any(word.startswith(f"--backend-directory={folder}/") for word in words)
