import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyrank.serving.processes import listener, listens


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_process_listens_at_its_own_port_alone(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
        assert not listens(os.getpid(), port ^ 1)
    assert not listens(os.getpid(), port)


def test_connection_at_a_port_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as near:
        assert not listens(os.getpid(), near.getsockname()[1])


def test_process_that_is_gone_listens_nowhere() -> None:
    assert not listens(2**22 + 1, 80)


def test_process_that_listens_at_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listener(port) == os.getpid()
    assert listener(port) is None


def test_file_that_is_closed_meanwhile_hides_no_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process opens and closes files while it is looked at."""
    listed = Path.iterdir

    def with_one_that_is_gone(folder: Path) -> Iterator[Path]:
        if folder.name == "fd":
            yield folder / "1000000"
        yield from listed(folder)

    monkeypatch.setattr(Path, "iterdir", with_one_that_is_gone)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listener(server.getsockname()[1]) == os.getpid()
