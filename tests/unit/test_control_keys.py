"""Which key a client sends to which server."""

from typing import NoReturn

import pytest

from polyrank.serving import control_keys
from polyrank.serving.addresses import address_of
from polyrank.serving.control_keys import control_headers
from polyrank.serving.lockdown import CONTROL_HEADER, Lockdown, guard_words

KEY = "key-of-this-server"
WORDS = ["tritonserver", "--http-address=10.0.0.7", "--grpc-address=0.0.0.0", *guard_words(KEY)]


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Triton listen at port 8000, beside its supervisor, whose command line has the words of Triton's."""
    monkeypatch.setattr(control_keys, "process_numbers", lambda: iter([1, 2, 3]))
    monkeypatch.setattr(control_keys, "command_line", {1: ["init"], 2: ["python", *WORDS], 3: WORDS}.__getitem__)
    monkeypatch.setattr(control_keys, "listens", lambda number, port: (number, port) == (3, 8000))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "localhost:8000", "grpc://localhost:8000", "10.0.0.7:8000"])
def test_key_goes_to_the_server_that_asks_for_it(url: str) -> None:
    assert control_headers(address_of(url), {}) == {CONTROL_HEADER: KEY}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "10.0.0.8:8000", "example.com:8000"])
def test_key_goes_nowhere_else(url: str) -> None:
    assert control_headers(address_of(url), {}) == {}


def test_given_key_stays_the_only_one() -> None:
    assert control_headers(address_of("localhost:8000"), {CONTROL_HEADER.title(): "own"}) == {}


def test_key_of_a_lockdown_is_not_taken_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_keys, "command_line", lambda _pid: ["tritonserver", *Lockdown().triton_words])
    assert control_headers(address_of("localhost:8000"), {}) == {}


def test_system_without_proc_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> NoReturn:
        raise FileNotFoundError

    monkeypatch.setattr(control_keys, "process_numbers", fail)
    assert control_headers(address_of("localhost:8000"), {}) == {}
