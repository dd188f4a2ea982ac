import os
import socket

import pytest

from polyrank.serving.processes import listens


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_process_listens_at_its_own_port_alone(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
        assert not listens(os.getpid(), port ^ 1)
    assert not listens(os.getpid(), port)


def test_connection_at_a_port_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as near:
        assert not listens(os.getpid(), near.getsockname()[1])


def test_process_that_is_gone_listens_nowhere() -> None:
    assert not listens(2**22 + 1, 80)
