"""The server that misbehaves as told has no thread left of a client that hangs up."""

import socket

from artefacts.processes import wait_until
from artefacts.scripted_http import ScriptedHttp


def test_client_that_hangs_up_within_a_body_is_forgotten() -> None:
    server = ScriptedHttp()
    with server.listening() as url:
        host, _, port = url.partition(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"POST /v2/models/fake/infer HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
            assert wait_until(lambda: server.num_open == 1)
        assert wait_until(lambda: server.num_open == 0, 2.0)
    assert server.requests == []
