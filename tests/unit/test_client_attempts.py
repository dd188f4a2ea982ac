"""What is tried again, how often, how fast, and by which server."""

import math
import socket
import threading
import time
from contextlib import ExitStack

import pytest
from artefacts.asking import QUICK, ROWS, Score, both_ways
from artefacts.scripted_http import Answer, ScriptedHttp, http, refusal, scores

from polyrank.errors import DeadlineExceededError, ModelNotReadyError, RequestError, ServerUnavailableError
from polyrank.serving import ClientOptions, Ranker
from polyrank.serving.addresses import address_of
from polyrank.serving.caller import Caller
from polyrank.serving.endpoints import Endpoint, Endpoints
from polyrank.serving.failures import Failure, Kind
from polyrank.serving.telemetry import Telemetry
from polyrank.serving.waiting import Blocking, BlockingSignal


@pytest.fixture
def unused() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


SAFE = {
    "a connection that breaks": Answer(closes=True),
    "a full queue": refusal("503 Service Unavailable", "Exceeds maximum queue size"),
    "a proxy without a server": refusal("502 Bad Gateway"),
    "a worker that died": refusal("500 Internal Server Error", "Stub process 'fake_0' is not healthy."),
    "a model that was served before": refusal("404 Not Found", "Request for unknown model: 'fake' is not found"),
    "an answer that is cut": Answer([scores(3)[:-2]], closes=True),
}


@both_ways
@pytest.mark.parametrize("case", SAFE)
def test_what_is_safe_is_tried_again(score: Score, case: str) -> None:
    server = ScriptedHttp(infer=lambda request: SAFE[case] if request.number < 2 else None)
    with server.listening() as url:
        assert len(score([url])) == 3


@both_ways
@pytest.mark.parametrize("case", [case for case in SAFE if "connection" not in case])
def test_attempts_are_as_many_as_asked(score: Score, case: str) -> None:
    server = ScriptedHttp(infer=lambda _request: SAFE[case])
    with server.listening() as url, pytest.raises(ServerUnavailableError, match=r"after 3 attempts"):
        score([url])
    # A connection that was open already may have died of old age, so that an answer cut short on it counts for nothing.
    assert len(server.inferences) - (case == "an answer that is cut") == 3


@both_ways
def test_refusal_is_final(score: Score) -> None:
    server = ScriptedHttp(infer=lambda _request: refusal("400 Bad Request", "wrong"))
    with server.listening() as url, pytest.raises(RequestError, match=r"^fake version 1 at .* request refused: wrong$"):
        score([url])
    assert len(server.inferences) == 1


@both_ways
def test_model_that_was_never_served_is_final(score: Score) -> None:
    server = ScriptedHttp(answers={"/v2/models/fake": refusal("404 Not Found", "unknown model")})
    with (
        server.listening() as url,
        pytest.raises(ModelNotReadyError, match=r"the server does not serve this model: unk"),
    ):
        score([url])
    assert len(server.requests) == 2  # which protocol it speaks, and the model


@both_ways
def test_no_deadline_is_told_by_a_clock_that_can_be_set(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    def unset() -> float:
        raise AssertionError("the time of day was asked for")

    server = ScriptedHttp(infer=lambda request: refusal("503 Service Unavailable") if request.number < 2 else None)
    with server.listening() as url, monkeypatch.context() as patch:
        patch.setattr(time, "time", unset)
        assert len(score([url])) == 3


@both_ways
def test_attempts_end_at_the_deadline(score: Score) -> None:
    server = ScriptedHttp(infer=lambda _request: refusal("503 Service Unavailable"))
    options = ClientOptions(attempts=1000, backoff_s=0.05, backoff_limit_s=0.05)
    start = time.monotonic()
    message = r"^fake version 1 at .*: deadline of 0\.5 s passed after \d+ attempts \(the queue is full: status 503\); "
    with server.listening() as url, pytest.raises(DeadlineExceededError, match=message):
        score([url], options, timeout_s=0.5)
    assert time.monotonic() - start < 1.0
    assert len(server.inferences) > 5


@both_ways
def test_slow_attempt_is_given_up_for_another(score: Score) -> None:
    server = ScriptedHttp(infer=lambda request: Answer(delay_s=3.0) if request.number == 0 else None)
    start = time.monotonic()
    with server.listening() as url:
        assert len(score([url], ClientOptions(attempts=3, backoff_s=0.001, attempt_timeout_s=0.2))) == 3
    assert 0.2 < time.monotonic() - start < 1.5


@both_ways
@pytest.mark.parametrize(("attempts", "told"), [(1, "its only attempt"), (2, "any of 2 attempts")])
def test_end_of_the_last_attempt_is_not_called_the_deadline(score: Score, attempts: int, told: str) -> None:
    server = ScriptedHttp(infer=lambda _request: Answer(delay_s=1.0))
    options = ClientOptions(attempts=attempts, backoff_s=0.001, attempt_timeout_s=0.1)
    message = rf": no answer in time in {told}, \d[.\d]* s before the deadline; raise attempt_timeout_s or attempts$"
    with server.listening() as url, pytest.raises(DeadlineExceededError, match=message):
        score([url], options)


def test_half_of_the_time_for_a_stranger_is_not_called_the_deadline() -> None:
    message = r": no answer in time in its only attempt, 0\.\d+ s before the deadline; raise attempts$"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(DeadlineExceededError, match=message):
            Ranker([place, place], "fake", options=ClientOptions(attempts=1), timeout_s=0.6)


@both_ways
def test_finding_the_protocol_takes_from_the_time_of_the_first_call(score: Score) -> None:
    answers = {"/v2/health/ready": Answer([http()], delay_s=0.25)}
    server = ScriptedHttp(answers=answers | {"/v2/models/fake": Answer([http(b"{}")], delay_s=0.25)})
    with server.listening() as url, pytest.raises(DeadlineExceededError, match=r"deadline of 0\.4 s passed"):
        score([url], timeout_s=0.4)


def test_waits_are_drawn_evenly_below_a_doubling_limit() -> None:
    options = ClientOptions(backoff_s=0.1, backoff_limit_s=0.5)
    caller = Caller(Endpoints([address_of("localhost:1")]), options, Blocking(1), Telemetry())
    for attempt, limit in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.5), (999, 0.5)):
        drawn = [caller.pause_s(attempt) for _ in range(2000)]
        assert 0.0 <= min(drawn) < 0.02 * limit
        assert 0.98 * limit < max(drawn) <= limit
        assert math.isclose(sum(drawn) / 2000, limit / 2, rel_tol=0.1)


def test_thousands_of_failures_leave_the_pause_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("polyrank.serving.endpoints.time.monotonic", lambda: clock[0])
    endpoint = Endpoint(address_of("localhost:1"), BlockingSignal())
    for _ in range(3000):
        endpoint.failed(Failure(Kind.UNREACHABLE, "refused"))
        clock[0] += 10.0
    endpoint.failed(Failure(Kind.UNREACHABLE, "refused"))
    assert endpoint.wait_s(clock[0]) == 5.0


def test_requests_that_fail_together_are_one_failure() -> None:
    endpoint = Endpoint(address_of("localhost:1"), BlockingSignal())
    for _ in range(50):
        endpoint.failed(Failure(Kind.BROKEN, "reset"))
    assert endpoint.wait_s(time.monotonic()) <= 0.1


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.NOT_READY, Kind.REFUSED])
def test_failure_of_the_model_alone_pauses_no_server(kind: Kind) -> None:
    endpoint = Endpoint(address_of("localhost:1"), BlockingSignal())
    endpoint.failed(Failure(kind, "no"))
    assert endpoint.is_up(time.monotonic())


def test_server_with_the_fewest_requests_comes_next() -> None:
    endpoints = Endpoints([address_of(f"localhost:{port}") for port in (1, 2, 3)])
    first, second, third = endpoints.all
    for busy in (first, first, third):
        busy.begin()
    assert endpoints.choose() is second
    second.begin()
    second.begin()
    assert endpoints.choose() is third


def test_servers_of_equal_load_take_turns() -> None:
    endpoints = Endpoints([address_of(f"localhost:{port}") for port in (1, 2, 3)])
    assert [endpoints.choose().address.port for _ in range(6)] == [1, 2, 3, 1, 2, 3]


def test_busy_server_is_asked_again_where_the_other_is_down() -> None:
    endpoints = Endpoints([address_of(f"localhost:{port}") for port in (1, 2)])
    down, busy = endpoints.all
    down.failed(Failure(Kind.UNREACHABLE, "refused"))
    assert endpoints.choose(avoid=busy) is busy


@both_ways
@pytest.mark.parametrize("order", [1, -1])
def test_server_that_is_dead_from_the_start_is_passed_over(score: Score, order: int, unused: str) -> None:
    with ScriptedHttp().listening() as url:
        for scheme in ("", "http://", "grpc://"):
            assert len(score([f"{scheme}{unused}", url][::order], calls=3)) == 3


@both_ways
def test_server_that_never_answers_leaves_time_for_another(score: Score) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, ScriptedHttp().listening() as url:
        place = f"127.0.0.1:{mute.getsockname()[1]}"
        assert len(score([place, url], timeout_s=2.0)) == 3


@both_ways
def test_server_without_the_model_is_passed_over(score: Score) -> None:
    empty = ScriptedHttp(answers={"/v2/models/fake": refusal("404 Not Found", "unknown model")})
    with empty.listening() as first, ScriptedHttp().listening() as second:
        for urls in ([first, second], [second, first]):
            assert len(score(urls, calls=3)) == 3


@both_ways
def test_all_servers_down_is_told_quickly(score: Score, unused: str) -> None:
    start = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=r"^fake at 127.*: no server answers after 3 attempts; "):
        score([unused, "127.0.0.1:1"])
    assert time.monotonic() - start < 1.0


def test_server_that_fails_is_passed_over_and_comes_back() -> None:
    first, second = ScriptedHttp(), ScriptedHttp()
    with second.listening() as living, ExitStack() as stack:
        place = stack.enter_context(first.listening())
        with Ranker([place, living], "fake", options=QUICK) as ranker:
            [ranker.score(ROWS) for _ in range(6)]
            assert (len(first.inferences), len(second.inferences)) == (3, 3)
            stack.close()
            [ranker.score(ROWS) for _ in range(6)]
            assert (len(first.inferences), len(second.inferences)) == (3, 9)
            stack.enter_context(first.listening(int(place.split(":")[1])))
            time.sleep(0.3)
            [ranker.score(ROWS) for _ in range(6)]
            assert len(first.inferences) >= 5


def test_port_that_closes_at_first_is_not_taken_for_grpc() -> None:
    """A balancer accepts and closes while its server starts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        server = ScriptedHttp()

        def close_twice() -> None:
            for _ in range(2):
                listener.accept()[0].close()
            server.accept(listener)

        threading.Thread(target=close_twice, daemon=True).start()
        with Ranker(place, "fake", options=ClientOptions(attempts=5, backoff_s=0.001)) as ranker:
            assert len(ranker.score(ROWS)) == 3
        listener.shutdown(socket.SHUT_RDWR)


FOREIGN = {
    "no version": ("/v2/models/fake", b"{}"),
    "no number": ("/v2/models/fake", b'{"versions": ["newest"]}'),
    "an empty list": ("/v2/models/fake", b'{"versions": []}'),
    "a list": ("/v2/models/fake", b"[]"),
    "a word": ("/v2/models/fake/config", b'"ok"'),
    "parameters of another form": ("/v2/models/fake/config", b'{"parameters": 3}'),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_server_of_something_else_is_told_in_one_line(case: str) -> None:
    path, body = FOREIGN[case]
    server = ScriptedHttp(answers={path: Answer([http(body)])})
    with server.listening() as url, pytest.raises(RequestError) as caught:
        Ranker(url, "fake")
    assert "Triton" in str(caught.value) or "no Polyrank signature" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_index_of_something_else_is_told_in_one_line() -> None:
    server = ScriptedHttp(answers={"/v2/repository/index": Answer([http(b'[{"id": 1}]')])})
    with (
        server.listening() as url,
        pytest.raises(ServerUnavailableError, match=r"^127.* does not speak Triton's protoc"),
    ):
        Ranker(url)
