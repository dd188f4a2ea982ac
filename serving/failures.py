"""What went wrong at the server, in our own errors: one class per remedy."""

from typing import Any

from polyrank.errors import DeadlineExceededError, PolyrankError, RequestError, ServerUnavailableError

_OVERLOADED = ("Exceeds maximum queue size", "Request timeout expired")
"""What Triton says of requests that its queue policy refuses."""


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
    if "explicit model load / unload is not allowed" in message:
        return RequestError(
            f"{place}: the server loads no model when asked; start it with --model-control-mode=explicit, as "
            f"polyrank serve does"
        )
    if any(reason in message for reason in _OVERLOADED):
        return ServerUnavailableError(
            f"{place}: overloaded ({message}); retry, add instances, or raise queue_size or queue_timeout_us"
        )
    if status == "NOT_FOUND" or "unknown model" in message:
        return ServerUnavailableError(f"{place}: the server does not serve this model: {message}")
    if status in ("UNAVAILABLE", "CANCELLED"):
        return ServerUnavailableError(f"{place}: no server answers; start one with: polyrank serve ({message})")
    return RequestError(f"{place}: request refused: {message}")
