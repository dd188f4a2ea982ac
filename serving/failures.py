"""What went wrong at the server, in our own errors: one class per remedy."""

import enum

from polyrank.errors import (
    ConfigError,
    DeadlineExceededError,
    ModelNotReadyError,
    PolyrankError,
    RequestError,
    ServerUnavailableError,
)

LONGEST = 1_000
"""Characters of what a server says that are passed on; a broken one may say anything."""


class Kind(enum.Enum):
    """What a caller can do about a failure."""

    UNREACHABLE = "no connection could be made"
    BROKEN = "the connection broke, or the worker died"
    TIMED_OUT = "no answer in time"
    FOREIGN = "another protocol is spoken there"
    UNTRUSTED = "no encryption could be agreed on"
    BUSY = "the queue is full"
    NOT_READY = "the model is not served"
    REFUSED = "the request is wrong"


class Failure(Exception):  # noqa: N818 (it is not an error that users see; `as_error` makes one of it)
    """A call failed. Never leaves this room."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        line = " ".join(text.split())
        self.kind, self.text = kind, line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


_RESTRICTED = " is restricted, expecting header "
"""In Triton's refusal of who lacks a key; gRPC gives it the status of a server that is not there."""

# What Triton says, in either protocol. The first rule that is found decides; without one the status does.
_RULES = (
    ("explicit model load / unload is not allowed", Kind.REFUSED),
    (_RESTRICTED, Kind.REFUSED),
    ("Exceeds maximum queue size", Kind.BUSY),
    ("Request timeout expired", Kind.BUSY),
    ("CERTIFICATE_VERIFY_FAILED", Kind.UNTRUSTED),
    ("WRONG_VERSION_NUMBER", Kind.UNTRUSTED),
    ("Stub process", Kind.BROKEN),
    ("unknown model", Kind.NOT_READY),
    ("has no available versions", Kind.NOT_READY),
    ("is not at ready state", Kind.NOT_READY),
    ("Server is stopping", Kind.BROKEN),
    ("server is not ready", Kind.BROKEN),
)


def failure_of(status: Kind, text: str) -> Failure:
    """Return the failure that a server's words mean; `status` is what the protocol says of it."""
    message = text or "no reason given"
    return Failure(next((kind for words, kind in _RULES if words in message), status), message)


def as_error(failure: Failure, place: str, timeout_s: float, attempts: int = 1) -> PolyrankError:
    """Return the error that users see.

    Args:
        failure: what happened at last.
        place: model and address, to begin the message with.
        timeout_s: the deadline of the call, in seconds.
        attempts: how often it was tried.
    """
    tried = "" if attempts == 1 else f" after {attempts} attempts"
    if "explicit model load / unload is not allowed" in failure.text:
        return RequestError(
            f"{place}: the server loads no model when asked; start it with --model-control-mode=explicit, as "
            f"polyrank serve does"
        )
    if _RESTRICTED in failure.text:
        return RequestError(
            f"{place}: the server asks for a key ({failure.text}); give it with ClientOptions(headers=...), and name "
            f"the model"
        )
    error: PolyrankError
    match failure.kind:
        case Kind.TIMED_OUT:
            error = DeadlineExceededError(
                f"{place}: deadline of {timeout_s:g} s passed{tried}; raise timeout_s or lighten the load"
            )
        case Kind.BUSY:
            error = ServerUnavailableError(
                f"{place}: overloaded{tried} ({failure.text}); retry, add instances, or raise queue_size or "
                "queue_timeout_us"
            )
        case Kind.NOT_READY:
            error = ModelNotReadyError(f"{place}: the server does not serve this model{tried}: {failure.text}")
        case Kind.FOREIGN:
            error = ServerUnavailableError(
                f"{place}: another protocol is spoken there{tried}; leave out the scheme, or write that of the port "
                f"({failure.text})"
            )
        case Kind.UNREACHABLE | Kind.BROKEN:
            error = ServerUnavailableError(
                f"{place}: no server answers{tried}; start one with: polyrank serve ({failure.text})"
            )
        case Kind.UNTRUSTED:
            error = ConfigError(
                f"{place}: no TLS with the server ({failure.text}); see that it speaks TLS, that tls.ca vouches for "
                "it, and that it takes tls.certificate"
            )
        case Kind.REFUSED:
            error = RequestError(f"{place}: request refused: {failure.text}")
    return error


def silence_error(place: str, attempts: int, left_s: float, remedy: str) -> DeadlineExceededError:
    """Return the error of a call whose last attempt got no answer in its own time, before the deadline.

    Args:
        place: model and address, to begin the message with.
        attempts: how often it was tried.
        left_s: until the deadline, in seconds.
        remedy: the options that give it more time.
    """
    tried = "its only attempt" if attempts == 1 else f"any of {attempts} attempts"
    return DeadlineExceededError(
        f"{place}: no answer in time in {tried}, {left_s:.2g} s before the deadline; raise {remedy}"
    )


def deadline_error(failure: Failure, place: str, timeout_s: float, attempts: int) -> DeadlineExceededError:
    """Return the error of a call whose time ended while it was tried again and again."""
    return DeadlineExceededError(
        f"{place}: deadline of {timeout_s:g} s passed after {attempts} attempts ({failure.kind.value}: "
        f"{failure.text}); raise timeout_s or lighten the load"
    )
