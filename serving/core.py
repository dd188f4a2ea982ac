"""The client's work, written once: `Ranker` runs it as plain calls, `AsyncRanker` awaits it."""

import contextlib
import functools
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from polyrank.encoder import Batch
from polyrank.errors import ConfigError, ModelNotReadyError, RequestError
from polyrank.rows import Rows
from polyrank.score_weights import score_weights
from polyrank.signature import REQUEST_SUFFIX, SCORE

from .addresses import address_of, check_timeout
from .agreement import Agreement, Sent
from .caller import Answered, Caller, Deadline
from .calls import Call, Reply
from .checks import check_client, check_log, check_request_id, check_top_k, urls_of
from .endpoints import Endpoint, Endpoints
from .items import Items
from .joining import Answers, joined, parts_of
from .options import ClientOptions
from .origins import Origin, RequestIds
from .ranking import (
    User,
    best,
    column_of,
    ranked,
    request_tensors,
    task_weights,
    tiled,
    user_batch,
    user_row,
    weighted_sum,
)
from .served import ITEMS_IN_A_REQUEST, Served
from .served_models import ServedModels, check_version
from .telemetry import Telemetry
from .waiting import Asynchronous, AsyncSignal, Blocking, BlockingSignal, computed

if TYPE_CHECKING:
    import pyarrow as pa

    from .impressions import ImpressionLog


_LOOK_AGAIN_S = 30.0


class Wish(NamedTuple):
    """Which items a user of the client wants to see; see `Ranker.rank`."""

    top_k: int | None = None
    weights: Mapping[str, float] | None = None
    exclude: Iterable[Any] | None = None
    log: "ImpressionLog | None" = None


class _Asked(NamedTuple):
    """One call of `rank`."""

    row: Mapping[str, Any]
    items: Items
    weights: Mapping[str, float] | None
    deadline: Deadline
    request_id: str


class _To(NamedTuple):
    """Where a request goes, until when, what the server's log calls it, and whether another model can answer it too."""

    endpoint: Endpoint
    deadline: Deadline
    request_id: str
    has_substitute: bool = False


class RankerCore:
    """What `Ranker` and `AsyncRanker` share; see there."""

    def __init__(  # noqa: PLR0913 (as `Ranker`)
        self,
        url: str | Sequence[str],
        model: str | None,
        timeout_s: float,
        options: ClientOptions | None,
        telemetry: Telemetry | None,
        *,
        version: str | None,
        is_async: bool,
    ) -> None:
        urls = urls_of(url)
        check_client(model, options, telemetry)
        check_timeout(timeout_s)
        check_version(version)
        options = options or ClientOptions()
        self._timeout_s = timeout_s
        self._telemetry = telemetry or Telemetry()
        self._waiting = Asynchronous() if is_async else Blocking(options.parallel)
        signal = AsyncSignal if is_async else BlockingSignal
        self._endpoints = Endpoints([address_of(each) for each in urls], signal)
        self._caller = Caller(self._endpoints, options, self._waiting, self._telemetry, is_async=is_async)
        self._models = ServedModels(self._caller, version, signal)
        self._rows_alone = ""  # the version that had no graph over requests when it was last looked for
        self._look_again_at = 0.0  # on the monotonic clock, in seconds
        self._name = model
        self._request_ids = RequestIds()

    async def connect(self, deadline: Deadline | None = None) -> None:
        """Find the model and read its schema, unless that is done."""
        if self._name is not None and self._models.known(self._name) is not None:
            return
        deadline = deadline or Deadline(self._timeout_s)
        endpoint = self._endpoints.choose()
        if self._name is None:
            self._name = await self._models.only_model(endpoint, deadline)
        served, endpoint = await self._models.read(endpoint, self._name, deadline)
        if served.signature.request is not None:
            raise RequestError(
                f"{self._name} at {endpoint.address.place} takes one user with many items, and no rows; name the "
                f"model over rows: {self._name.removesuffix(REQUEST_SUFFIX)!r}"
            )

    @property
    def model(self) -> str:
        """Name of the model."""
        if self._name is None:
            raise ConfigError("the ranker is not connected yet; use it as `async with`, or await one of its calls")
        return self._name

    @property
    def version(self) -> str:
        """Its version that was last heard of."""
        return self.served.version

    @property
    def served(self) -> Served:
        """What the server last said of the model over rows."""
        found = self._models.known(self.model)
        if found is None:
            raise ConfigError("the ranker is not connected yet; use it as `async with`, or await one of its calls")
        return found

    async def score(self, rows: Rows, timeout_s: float | None, request_id: str | None) -> "pa.Table":
        """See `Ranker.score`."""
        import pyarrow as pa

        deadline = self._deadline(timeout_s)
        name = self._named(request_id)
        await self.connect(deadline)
        with self._telemetry.call("score", self.model) as record:
            encoded: tuple[bytes, Batch] | None = None

            async def send(served: Served, endpoint: Endpoint) -> Sent:
                nonlocal encoded
                if encoded is None or encoded[0] != served.wire:
                    encoded = (served.wire, await self._encode(served, rows))
                batch = encoded[1]
                parts = ((len(part), part.named()) for part in parts_of(batch, served.max_rows))
                to = _To(endpoint, deadline, name)
                return batch, await self._infer(served, parts, served.widths, to)

            served, (batch, replies) = await self._agreed(self.model, deadline, send)
            answers = joined(replies)
            record.rows, record.version = len(batch), served.version
            columns = [column_of(answers[name]) for name in served.widths]
            return pa.Table.from_arrays(columns, schema=served.answers)

    async def items(self, rows: Rows, key: str | None) -> Items:
        """See `Ranker.items`."""
        await self.connect()
        served = self.served
        return await self._waiting.compute(lambda: Items(rows, key, served))

    async def rank(
        self, user: User, items: Items | Rows, wish: Wish, timeout_s: float | None, request_id: str | None
    ) -> "pa.Table":
        """See `Ranker.rank`."""
        deadline = self._deadline(timeout_s)
        check_top_k(wish.top_k)
        check_log(wish.log)
        name = self._named(request_id)
        row = user_row(user)
        await self.connect(deadline)
        known = items if isinstance(items, Items) else await self.items(items, None)
        excluded = None
        if (exclude := wish.exclude) is not None:
            excluded = await computed(self._waiting, len(known), lambda: known.places_of(exclude))
        with self._telemetry.call("rank", self.model) as record:
            asked = _Asked(row, known, wish.weights, deadline, name)
            served, answers = await self._ranked(asked)
            record.rows, record.version = len(known), served.version
            places = best(answers[SCORE][:, 0], wish.top_k, excluded)
            weights = score_weights(self.model, served.weighted, wish.weights)
            origin = Origin(self.model, served.version, name, weights)
            answer = ranked(served, known, places, answers, origin)
        if wish.log is not None:
            wish.log.shown(answer, user=row, items=known)
        return answer

    async def close(self) -> None:
        """Close all connections."""
        await self._caller.close()

    async def _ranked(self, asked: "_Asked") -> tuple[Served, Answers]:
        """Score all items for a user, with the model over requests where there is one.

        A server that starts has it a little later than the rows, and may lose it: it is looked for again and again.
        """
        if self._rows_alone != self.version or time.monotonic() >= self._look_again_at:
            with contextlib.suppress(ModelNotReadyError):
                return await self._by_request(asked)
            found = await self._by_rows(asked)
            self._rows_alone, self._look_again_at = self.version, time.monotonic() + _LOOK_AGAIN_S
            return found
        return await self._by_rows(asked)

    async def _by_request(self, asked: "_Asked") -> tuple[Served, Answers]:
        async def send(served: Served, endpoint: Endpoint) -> Sent:
            user = user_batch(served, asked.row)
            batch = await computed(self._waiting, len(asked.items), lambda: asked.items.crossed(served, asked.row))
            weights = task_weights(served, asked.weights)
            parts = ((len(part), request_tensors(user, part, weights)) for part in parts_of(batch, ITEMS_IN_A_REQUEST))
            to = _To(endpoint, asked.deadline, asked.request_id, has_substitute=True)
            return batch, await self._infer(served, parts, {**served.widths, SCORE: 1}, to)

        served, (_, replies) = await self._agreed(f"{self.model}{REQUEST_SUFFIX}", asked.deadline, send)
        return served, joined(replies)

    async def _by_rows(self, asked: "_Asked") -> tuple[Served, Answers]:
        async def send(served: Served, endpoint: Endpoint) -> Sent:
            task_weights(served, asked.weights)
            user, items = user_batch(served, asked.row), asked.items
            batch = await computed(
                self._waiting, len(items), lambda: tiled(served, user, items.crossed(served, asked.row))
            )
            parts = ((len(part), part.named()) for part in parts_of(batch, served.max_rows))
            to = _To(endpoint, asked.deadline, asked.request_id)
            return batch, await self._infer(served, parts, served.widths, to)

        served, (_, replies) = await self._agreed(self.model, asked.deadline, send)
        answers = joined(replies)
        return served, answers | {SCORE: weighted_sum(served, answers, task_weights(served, asked.weights))}

    async def _encode(self, served: Served, rows: Rows) -> Batch:
        count = len(rows) if hasattr(rows, "__len__") else None
        return await computed(self._waiting, count, lambda: served.encoder.encode(rows))

    async def _infer(
        self,
        served: Served,
        parts: Iterable[tuple[int, Mapping[str, NDArray[Any]]]],
        widths: Mapping[str, int],
        to: "_To",
    ) -> list[Answered[Reply]]:
        """Send parts, each with its number of rows, side by side, all to the same server unless it fails."""
        headers = self._telemetry.headers()
        works = [
            functools.partial(
                self._answer,
                Call(served.model, tensors, tuple(widths), self._models.version or "", to.request_id, headers),
                {output: (rows, width) for output, width in widths.items()},
                served,
                to,
            )
            for rows, tensors in parts
        ]
        return [await works[0]()] if len(works) == 1 else await self._waiting.all_of(works)

    async def _answer(
        self, call: Call, shapes: Mapping[str, tuple[int, int]], served: Served, to: "_To"
    ) -> Answered[Reply]:
        """Send one part, and look at what comes back.

        Raises:
            RequestError: an output has another shape than the model's signature says.
        """
        answered = await self._caller.infer(
            call, to.deadline, to.endpoint, version=served.version, waits=not to.has_substitute
        )
        reply, by = answered
        for name, shape in shapes.items():
            found = reply.tensors.get(name)
            if found is None or found.shape != shape:
                raise RequestError(
                    f"{served.model} version {reply.version} at {by.address.place}: output {name!r} has shape "
                    f"{None if found is None else list(found.shape)}, expected {list(shape)}"
                )
        return answered

    async def _agreed(
        self, model: str, deadline: Deadline, send: Callable[[Served, Endpoint], Coroutine[Any, Any, Sent]]
    ) -> tuple[Served, Sent]:
        return await Agreement(self._models, model, deadline).reach(self._endpoints.choose(), send)

    def _named(self, request_id: str | None) -> str:
        check_request_id(request_id)
        return request_id or self._request_ids.next()

    def _deadline(self, timeout_s: float | None) -> Deadline:
        if timeout_s is None:
            return Deadline(self._timeout_s)
        check_timeout(timeout_s)
        return Deadline(timeout_s)
