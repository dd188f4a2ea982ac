import pytest
from tritonclient.utils import InferenceServerException

from polyrank.errors import DeadlineExceededError, PolyrankError, RequestError, ServerUnavailableError
from polyrank.serving.failures import as_polyrank_error


def translated(status: str | None, message: str | None = "the reason") -> PolyrankError:
    return as_polyrank_error(InferenceServerException(message, status), "ranker at localhost:8001", 0.25)


def test_deadline_is_told_with_its_length() -> None:
    error = translated("StatusCode.DEADLINE_EXCEEDED")
    assert isinstance(error, DeadlineExceededError)
    assert str(error) == "ranker at localhost:8001: deadline of 0.25 s passed; raise timeout_s or lighten the load"


@pytest.mark.parametrize("status", ["StatusCode.UNAVAILABLE", "StatusCode.CANCELLED"])
def test_absent_server_is_told_with_the_next_step(status: str) -> None:
    error = translated(status)
    assert isinstance(error, ServerUnavailableError)
    assert str(error) == ("ranker at localhost:8001: no server answers; start one with: polyrank serve (the reason)")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("StatusCode.NOT_FOUND", "gone"),
        ("StatusCode.UNAVAILABLE", "Request for unknown model: 'ranker' is not found"),
    ],
)
def test_absent_model_is_told_apart_from_an_absent_server(status: str, message: str) -> None:
    error = translated(status, message)
    assert isinstance(error, ServerUnavailableError)
    assert str(error) == f"ranker at localhost:8001: the server does not serve this model: {message}"


@pytest.mark.parametrize("status", ["StatusCode.INVALID_ARGUMENT", "StatusCode.INTERNAL", "StatusCode.UNKNOWN", None])
def test_anything_else_is_a_refusal_with_its_reason(status: str | None) -> None:
    error = translated(status)
    assert isinstance(error, RequestError)
    assert str(error) == "ranker at localhost:8001: request refused: the reason"


def test_reason_of_several_lines_becomes_one() -> None:
    assert str(translated(None, "first\n  second\tthird")).endswith("request refused: first second third")


@pytest.mark.parametrize("message", ["", None])
def test_failure_without_a_reason_says_so(message: str | None) -> None:
    assert str(translated(None, message)).endswith("request refused: no reason given")


@pytest.mark.parametrize("message", ["[request id: 1] Exceeds maximum queue size", "Request timeout expired"])
def test_full_queue_is_told_apart_from_an_absent_server(message: str) -> None:
    error = translated("StatusCode.UNAVAILABLE", message)
    assert isinstance(error, ServerUnavailableError)
    assert str(error) == (
        f"ranker at localhost:8001: overloaded ({message}); retry, add instances, or raise queue_size or "
        f"queue_timeout_us"
    )


def test_server_that_loads_nothing_is_told_how_to_start() -> None:
    error = translated("StatusCode.UNAVAILABLE", "explicit model load / unload is not allowed if polling is enabled")
    assert isinstance(error, RequestError)
    assert "start it with --model-control-mode=explicit, as polyrank serve does" in str(error)
