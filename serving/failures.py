"""What went wrong at the server, in our own errors: one class per remedy."""

from typing import Any

from polyrank.errors import DeadlineExceededError, PolyrankError, RequestError, ServerUnavailableError


def as_polyrank_error(err: Any, place: str, timeout_s: float) -> PolyrankError:
    """Translate tritonclient's exception.

    Args:
        err: an InferenceServerException.
        place: model and address, to begin the message with.
        timeout_s: the deadline of the call, in seconds.
    """
    status = str(err.status() or "").removeprefix("StatusCode.")
    message = " ".join(str(err.message() or "no reason given").split())
    if status == "DEADLINE_EXCEEDED":
        return DeadlineExceededError(
            f"{place}: deadline of {timeout_s:g} s passed; raise timeout_s or lighten the load"
        )
    if status == "NOT_FOUND" or "unknown model" in message:
        return ServerUnavailableError(f"{place}: the server does not serve this model: {message}")
    if status in ("UNAVAILABLE", "CANCELLED"):
        return ServerUnavailableError(f"{place}: no server answers; start one with: polyrank serve ({message})")
    return RequestError(f"{place}: request refused: {message}")
