"""What the page asks for: models and users, a user's history, and the best items, ranked by the server each time."""

import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from polyrank.arguments import shown
from polyrank.errors import (
    ConfigError,
    DeadlineExceededError,
    ModelNotReadyError,
    PolyrankError,
    ServerUnavailableError,
)
from polyrank.serving.async_client import AsyncRanker
from polyrank.serving.items import ITEM, Items
from polyrank.serving.options import ClientOptions
from polyrank.serving.origins import origin_of
from polyrank.serving.served import Served
from polyrank.signature import SCORE
from polyrank.tasks import kind_of

from .logs import Logs
from .refusals import OwnNames, as_json, refuse
from .versions import Notes

Answer = Callable[[Request], Awaitable[Any]]

_PAGE = Path(__file__).with_name("page")
_MOST_ITEMS = 100
_TIMEOUT_S = 5.0


class _NotLiveError(ModelNotReadyError):
    """The server answers, and serves other versions: to ask again is of no use."""


_STATUS = ((_NotLiveError, 404), (DeadlineExceededError, 504), (ServerUnavailableError, 503), (PolyrankError, 400))
_WEIGHT = "w."


class Demo:
    """Answers what the page asks, from the logs and from the server.

    Args:
        url: of the server.
        model: its name there.
        logs: users and items.
        notes: what is known of versions beside their numbers.
        options: how the server is called; None takes the defaults.
    """

    def __init__(
        self, url: str, model: str, logs: Logs, notes: Notes | None = None, options: ClientOptions | None = None
    ) -> None:
        self._model, self._logs, self._notes = model, logs, notes or {}
        self._connect = functools.partial(AsyncRanker, url, model, timeout_s=_TIMEOUT_S, options=options)
        self._rankers: dict[str | None, AsyncRanker] = {}
        self._retired: list[AsyncRanker] = []
        self._items: Items | None = None

    async def model(self, _: Request) -> dict[str, Any]:
        """Tell of the model: its tasks, its live versions, and users to pick from."""
        served = await self._served()
        tasks = [
            {"name": task.name, "kind": kind_of(task), "is_weighted": task.name in served.weighted}
            for task in served.signature.schema.tasks
        ]
        versions = [{"version": each, "note": self._notes.get(each, "")} for each in served.versions]
        logs = self._logs
        return {
            "model": self._model,
            "tasks": tasks,
            "versions": versions,
            "items": logs.items.num_rows,
            "item_column": logs.item,
            "num_users": logs.num_users,
            "users": logs.users(),
        }

    async def user(self, request: Request) -> dict[str, Any]:
        """Tell of one user."""
        name = _text(request.query_params, "id")
        found = self._logs.of_user(name)
        return {"id": name, "rows": found.rows, "features": found.told(), "history": found.history}

    async def rank(self, request: Request) -> dict[str, Any]:
        """Rank all items for a user, by the server."""
        asked = request.query_params
        user, top_k = self._logs.of_user(_text(asked, "user")).features, _count(asked)
        weights = {name.removeprefix(_WEIGHT): _number(asked, name) for name in asked if name.startswith(_WEIGHT)}
        version = asked.get("version")
        ranker = await self._ranker(version)
        try:
            items = await self._encoded(ranker)
            start = time.perf_counter()
            found = await ranker.rank(user, items, top_k=top_k, weights=weights or None)
        except ModelNotReadyError:
            await self._require_live(version)
            raise
        latency_ms = 1e3 * (time.perf_counter() - start)
        rows = found.to_pylist()
        facts = self._logs.facts([row[ITEM] for row in rows])
        top = [told | _scores(row, ranker) for told, row in zip(facts, rows, strict=True)]
        answered = origin_of(found).version
        return {"version": answered, "latency_ms": latency_ms, "items": len(items), "top": top}

    async def close(self) -> None:
        """Close the connections to the server."""
        for ranker in (*self._rankers.values(), *self._retired):
            await ranker.close()

    async def _served(self) -> Served:
        """Return what is served now: the clients that are kept know the versions there were when they came."""
        async with self._connect() as ranker:
            return ranker.served

    async def _require_live(self, version: str | None) -> None:
        """Refuse a version that the server does not serve, where it serves others.

        Raises:
            _NotLiveError: it does not.
            PolyrankError: it serves none, or does not answer.
        """
        live = (await self._served()).versions
        if version is not None and version not in live:
            if version in self._rankers:  # other requests may be using it
                self._retired.append(self._rankers.pop(version))
            raise _NotLiveError(f"version must be one that is live, which are {', '.join(live)}, got {version!r}")

    async def _ranker(self, version: str | None) -> AsyncRanker:
        if version is not None and version not in self._rankers:
            await self._require_live(version)
        if version not in self._rankers:
            self._rankers[version] = self._connect(version=version)
        return self._rankers[version]

    async def _encoded(self, ranker: AsyncRanker) -> Items:
        if self._items is None:
            self._items = await ranker.items(self._logs.items, key=None)
        return self._items


def make_app(demo: Demo) -> Starlette:
    """Return the web application: the page, and what it asks for under `/api`."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await demo.close()

    answers = {"model": demo.model, "user": demo.user, "rank": demo.rank}
    routes = [Route(f"/api/{name}", _as_json(answer)) for name, answer in answers.items()]
    page = Mount("/", StaticFiles(directory=_PAGE, html=True))
    return Starlette(
        routes=[*routes, page],
        middleware=[Middleware(OwnNames)],
        exception_handlers={HTTPException: refuse, Exception: refuse},
        lifespan=lifespan,
    )


def _as_json(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            body, status = await answer(request), 200
        except PolyrankError as err:
            body = {"error": " ".join(str(err).splitlines())}
            status = next(status for kind, status in _STATUS if isinstance(err, kind))
        return as_json(body, status)

    return respond


def _scores(row: Mapping[str, Any], ranker: AsyncRanker) -> dict[str, Any]:
    return {"score": row[SCORE], "tasks": {name: row[name] for name in ranker.served.widths}}


def _text(asked: Mapping[str, str], name: str) -> str:
    """Return what the page must say.

    Raises:
        ConfigError: it does not.
    """
    if not asked.get(name):
        raise ConfigError(f"{name} must be given, as in ?{name}=46")
    return asked[name]


def _number(asked: Mapping[str, str], name: str) -> float:
    try:
        return float(asked[name])
    except ValueError as err:
        raise ConfigError(f"{name} must be a number, got {shown(asked[name])}") from err


def _count(asked: Mapping[str, str]) -> int:
    """Return how many items are wanted, 10 where nothing is said.

    Raises:
        ConfigError: it is not in [1, 100].
    """
    text = asked.get("k", "10")
    is_short = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_ITEMS))
    if not is_short or not 1 <= int(text) <= _MOST_ITEMS:
        raise ConfigError(f"k must be in [1, {_MOST_ITEMS}], got {shown(text)}")
    return int(text)
