"""What arguments of clients must be."""

from collections.abc import Sequence

import numpy as np

from polyrank.arguments import instance, named, shown
from polyrank.errors import ConfigError, DataError

from .items import Items
from .options import ClientOptions
from .telemetry import Telemetry

_LONGEST_ID = 200


def urls_of(url: str | Sequence[str]) -> tuple[str, ...]:
    """Return the addresses of a client's servers.

    Raises:
        ConfigError: there is none.
    """
    if isinstance(url, str):
        return (url,)
    if not isinstance(url, Sequence) or not url:
        got = named(url) if not isinstance(url, Sequence) else "none"
        raise ConfigError(f"url must be host:port of the server, as in localhost:8000, or a list of such, got {got}")
    return tuple(url)


def check_client(model: object, options: object, telemetry: object) -> None:
    """Refuse what is no name, no options or no telemetry; None stands for each.

    Raises:
        ConfigError: one is something else.
    """
    if model is not None and (not isinstance(model, str) or not model):
        raise ConfigError(f"model must be the name of a model, got {named(model)}; None takes the only one")
    if options is not None:
        instance("options", options, ClientOptions, "ClientOptions(...)")
    if telemetry is not None:
        instance("telemetry", telemetry, Telemetry, "a Telemetry, such as polyrank.serving.Metrics()")


def check_request_id(request_id: object) -> None:
    """Refuse a name of a request that would not be one word of a log.

    Raises:
        ConfigError: it is no text, too long, or has characters that cannot be printed.
    """
    if request_id is None:
        return
    if not isinstance(request_id, str) or len(request_id) > _LONGEST_ID or not request_id.isprintable():
        raise ConfigError(
            f"request_id must be text of at most {_LONGEST_ID} characters that can be printed, got {shown(request_id)}"
        )


def check_top_k(top_k: int | None) -> None:
    """Refuse a number of items that is none.

    Raises:
        ConfigError: it is not 1 or above.
    """
    if top_k is not None and (not isinstance(top_k, int | np.integer) or isinstance(top_k, bool) or top_k < 1):
        raise ConfigError(f"top_k must be 1 or above, got {top_k!r}")


def check_log(log: object) -> None:
    """Refuse what logs nothing; None stands for no log.

    Raises:
        ConfigError: it is something else.
    """
    if log is not None:
        from .impressions import ImpressionLog

        instance("log", log, ImpressionLog, "an ImpressionLog(folder)")


def check_items(items: object) -> None:
    """Refuse rows that are not encoded yet.

    Raises:
        DataError: they are not.
    """
    if not isinstance(items, Items):
        raise DataError(f"catalog must come from ranker.items(rows, key=COLUMN), got {type(items).__name__}")


def not_copied() -> ConfigError:
    """Return the error of a ranker that is pickled or copied."""
    return ConfigError("a ranker holds connections, and is neither pickled nor copied; make one where it is used")
