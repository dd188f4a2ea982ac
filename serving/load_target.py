"""What a load test sends: requests that are made of real rows before the first is sent."""

import dataclasses
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import integer, is_number, shown
from polyrank.errors import ConfigError, ModelNotReadyError
from polyrank.rows import Rows, columns_of
from polyrank.signature import REQUEST_SUFFIX, SCORE

from .addresses import address_of, check_timeout
from .calls import Call, Transport
from .client import Ranker
from .control import ModelControl
from .items import Items
from .options import ClientOptions
from .ranking import request_tensors, task_weights, user_batch
from .served import ITEMS_IN_A_REQUEST, Served
from .transports import open_transport


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a load test sends.

    Attributes:
        rows: of each request; with `ranks` items.
        ranks: send rankings, each of one user and `rows` items, in place of rows.
        seconds: of each rate.
        warm_up_s: of the first rate, before anything counts.
        timeout_s: of a request, from its arrival; one without an answer by then is an error.
        connections: open at once; a request that finds none free waits, which counts.
        seed: of the arrivals, 0 or above.
        client: headers, TLS and compression; nothing is sent twice.
    """

    rows: int = 100
    ranks: bool = False
    seconds: float = 10.0
    warm_up_s: float = 1.0
    timeout_s: float = 5.0
    connections: int = 64
    seed: int = 0
    client: ClientOptions = ClientOptions()

    def __post_init__(self) -> None:
        """Check ranges."""
        check_timeout(self.timeout_s)
        integer("rows", self.rows, range(1, 2**20 + 1), f"[1, {2**20}]")
        integer("connections", self.connections, range(1, 10_001), "[1, 10000]")
        integer("seed", self.seed, range(2**64), "[0, 2**64)")
        for name, shortest in (("seconds", 0.1), ("warm_up_s", 0.0)):
            value = getattr(self, name)
            if not is_number(value) or not shortest <= value <= 86_400:  # noqa: PLR2004 (a day)
                raise ConfigError(f"{name} must be in [{shortest:g}, 86400], got {shown(value)}")


@dataclasses.dataclass(frozen=True)
class LoadTarget:
    """A model to put load on, and requests for it that are ready to be sent."""

    url: str
    served: Served
    calls: Sequence[Call]

    async def connect(self, options: LoadOptions) -> Transport:
        """Return a transport to it.

        Raises:
            Failure: the URL does not say which protocol, and no server answers there.
        """
        own = msgspec.structs.replace(options.client, parallel=options.connections)
        return await open_transport(address_of(self.url), own, options.timeout_s, is_async=True)


def load_target(url: str, model: str | None, rows: Rows, options: LoadOptions) -> LoadTarget:
    """Encode rows as requests, each with the next `options.rows` of them, beginning anew at the end.

    Args:
        url: of the server.
        model: over rows; the only one that the server has when None.
        rows: real ones; a ranking is of the user of the first of its rows.
        options: of the requests.

    Raises:
        DataError: there are no rows, or they do not fit the model.
        ConfigError: a request takes fewer rows.
        ModelNotReadyError: rankings are to be sent, and the server has no graph over requests.
        PolyrankError: as `Ranker`.
    """
    with Ranker(url, model, timeout_s=options.timeout_s, options=options.client) as ranker:
        served = ranker.served
    if not options.ranks and options.rows > served.max_rows:
        raise ConfigError(f"rows must be at most {served.max_rows}, the model's max_batch_size, got {options.rows}")
    if options.ranks and options.rows > ITEMS_IN_A_REQUEST:
        raise ConfigError(f"rows must be at most {ITEMS_IN_A_REQUEST} items in a request, got {options.rows}")
    if options.ranks:
        _require_requests(url, served, options)
        return LoadTarget(url, served, list(_rankings(served, rows, options.rows)))
    batch = served.encoder.encode(rows)
    parts = (batch[places] for places in _parts(len(batch), options.rows))
    return LoadTarget(url, served, [Call(served.model, part.named(), tuple(served.widths)) for part in parts])


def _parts(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Give the places of each request's rows, int64 (size,)."""
    places = np.arange(max(1, count // size) * size) % count
    return (places[start : start + size] for start in range(0, len(places), size))


def _rankings(served: Served, rows: Rows, size: int) -> Iterator[Call]:
    columns = columns_of(rows, served.signature.schema.feature_columns)
    values = (column if isinstance(column, list) else column.to_pylist() for column in columns.values())
    records = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    model, weights = served.model + REQUEST_SUFFIX, task_weights(served, None)
    for places in _parts(len(records), size):
        user, items = records[places[0]], Items([records[place] for place in places], None, served)
        tensors = request_tensors(user_batch(served, user), items.crossed(served, user), weights)
        yield Call(model, tensors, (*served.widths, SCORE))


def _require_requests(url: str, served: Served, options: LoadOptions) -> None:
    model = served.model + REQUEST_SUFFIX
    try:
        with ModelControl(url, timeout_s=options.timeout_s, options=options.client) as server:
            server.versions(model)
    except ModelNotReadyError as err:
        raise ModelNotReadyError(
            f"{url} does not serve {model!r}, which answers rankings; export without --rows-only, or send rows"
        ) from err
