import re
import socket

import pytest

from polyrank.errors import ServerStartError
from polyrank.serving.ports import Ports, choose_ports

HOST = "127.0.0.1"


def test_zero_takes_three_different_free_ports() -> None:
    chosen = choose_ports(HOST, Ports(http=0, grpc=0, metrics=0))
    assert len({chosen.http, chosen.grpc, chosen.metrics} - {0}) == 3


def test_a_free_port_asked_for_is_kept() -> None:
    free = choose_ports(HOST, Ports(http=0, grpc=0, metrics=0)).grpc
    assert choose_ports(HOST, Ports(http=0, grpc=free, metrics=0)).grpc == free


@pytest.mark.parametrize("name", ["http", "grpc", "metrics"])
def test_busy_port_is_named_with_the_option(name: str) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        wanted = Ports(**({"http": 0, "grpc": 0, "metrics": 0} | {name: port}))
        expected = rf"^{name} port {port} on {HOST} cannot be used \(address already in use\); .*--{name}-port 0$"
        with pytest.raises(ServerStartError, match=expected):
            choose_ports(HOST, wanted)


def test_port_for_http_is_tried_at_its_own_address() -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        wanted = Ports(http=other.getsockname()[1], grpc=0, metrics=0)
        assert choose_ports("127.0.0.2", wanted, http_host=HOST).http == wanted.http
        with pytest.raises(ServerStartError, match=r"^http port \d+ on 127\.0\.0\.2 cannot be used"):
            choose_ports(HOST, wanted, http_host="127.0.0.2")


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "cannot assign requested address"),
        ("nope.invalid", ".*"),
        ("::1", ".*"),
        ("a..b", ".*"),
        ("a\0b", "host name must not contain null character"),
    ],
)
def test_host_that_is_not_of_this_machine_is_refused(host: str, reason: str) -> None:
    expected = rf"^host {re.escape(repr(host))} is no IPv4 address of this machine \({reason}\); take 127\.0\.0\.1 to"
    with pytest.raises(ServerStartError, match=expected):
        choose_ports(host, Ports(http=0, grpc=0, metrics=0))
