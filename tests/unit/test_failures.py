import pytest

from polyrank.errors import (
    DeadlineExceededError,
    ModelNotReadyError,
    PolyrankError,
    RequestError,
    ServerUnavailableError,
)
from polyrank.serving.failures import Kind, as_error, deadline_error, failure_of


def told(status: Kind, text: str = "the reason", attempts: int = 1) -> PolyrankError:
    return as_error(failure_of(status, text), "ranker at localhost:8001", 0.25, attempts)


def test_deadline_is_told_with_its_length() -> None:
    error = told(Kind.TIMED_OUT)
    assert isinstance(error, DeadlineExceededError)
    assert str(error) == "ranker at localhost:8001: deadline of 0.25 s passed; raise timeout_s or lighten the load"


def test_deadline_after_attempts_is_told_with_the_last_reason() -> None:
    error = deadline_error(failure_of(Kind.UNREACHABLE, "Connection refused"), "ranker at localhost:8001", 0.25, 3)
    assert str(error) == (
        "ranker at localhost:8001: deadline of 0.25 s passed after 3 attempts (no connection could be made: Connection "
        "refused); raise timeout_s or lighten the load"
    )


@pytest.mark.parametrize("status", [Kind.UNREACHABLE, Kind.BROKEN])
def test_absent_server_is_told_with_the_next_step(status: Kind) -> None:
    error = told(status)
    assert type(error) is ServerUnavailableError
    assert str(error) == "ranker at localhost:8001: no server answers; start one with: polyrank serve (the reason)"


def test_attempts_are_told() -> None:
    assert "no server answers after 3 attempts;" in str(told(Kind.UNREACHABLE, attempts=3))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Kind.NOT_READY, "gone"),
        (Kind.UNREACHABLE, "Request for unknown model: 'ranker' is not found"),
        (Kind.REFUSED, "Request for unknown model: 'ranker' version 3 is not at ready state"),
    ],
)
def test_absent_model_is_told_apart_from_an_absent_server(status: Kind, text: str) -> None:
    error = told(status, text)
    assert isinstance(error, ModelNotReadyError)
    assert str(error) == f"ranker at localhost:8001: the server does not serve this model: {text}"


def test_anything_else_is_a_refusal_with_its_reason() -> None:
    error = told(Kind.REFUSED)
    assert isinstance(error, RequestError)
    assert str(error) == "ranker at localhost:8001: request refused: the reason"


def test_reason_of_several_lines_becomes_one() -> None:
    assert str(told(Kind.REFUSED, "first\n  second\tthird")).endswith("request refused: first second third")


def test_failure_without_a_reason_says_so() -> None:
    assert str(told(Kind.REFUSED, "")).endswith("request refused: no reason given")


@pytest.mark.parametrize("text", ["[request id: 1] Exceeds maximum queue size", "Request timeout expired"])
def test_full_queue_is_told_apart_from_an_absent_server(text: str) -> None:
    error = told(Kind.UNREACHABLE, text)
    assert type(error) is ServerUnavailableError
    assert str(error) == (
        f"ranker at localhost:8001: overloaded ({text}); retry, add instances, or raise queue_size or queue_timeout_us"
    )


def test_worker_that_died_is_worth_another_attempt() -> None:
    assert failure_of(Kind.REFUSED, "Stub process 'ranker_0_0' is not healthy.").kind is Kind.BROKEN


def test_server_that_loads_nothing_is_told_how_to_start() -> None:
    error = told(Kind.UNREACHABLE, "explicit model load / unload is not allowed if polling is enabled")
    assert isinstance(error, RequestError)
    assert "start it with --model-control-mode=explicit, as polyrank serve does" in str(error)


def test_endless_words_of_a_server_are_cut() -> None:
    assert len(str(told(Kind.REFUSED, "1" * 5_000))) < 1_200
    assert str(told(Kind.REFUSED, "1" * 1_000)).endswith("1" * 1_000)
