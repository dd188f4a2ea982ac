"""A ranking service: FastAPI in front of Triton, with one `AsyncRanker` in each process.

    CATALOG=catalog.parquet KEY=sku uvicorn app:app --app-dir examples/fastapi --workers 2

| variable | default | holds |
|---|---|---|
| CATALOG | | Parquet file with the columns of the item features |
| KEY | | its column that names an item |
| TRITON | localhost:8000 | address of the server; several, with commas between them, share the load |
| MODEL | the only one | name of the model |
| IMPRESSIONS | impressions | folder for what was shown; all processes share it |
| TIMEOUT_S | 0.2 | seconds that a ranking may take; later it is a 503 |
"""

import contextlib
import math
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import polyrank as pr
from polyrank.errors import ConfigError, DataError, DeadlineExceededError, ServerUnavailableError
from polyrank.serving import Items

WRONG_INPUT = (ConfigError, DataError)
BUSY = (DeadlineExceededError, ServerUnavailableError)


class Service(NamedTuple):
    """What a process holds from its start to its end."""

    ranker: pr.AsyncRanker
    items: Items
    one_item: Items
    log: pr.ImpressionLog
    timeout_s: float


class Wanted(BaseModel):
    """One user, and how to rank for them."""

    model_config = ConfigDict(extra="forbid")

    user: dict[str, Any]
    top_k: int = Field(default=10, ge=1, le=100)
    weights: dict[str, float] | None = None
    exclude: list[int | str] = []


class Ranked(BaseModel):
    """The best items, the best first; outcomes name the request by its id."""

    request_id: str
    version: str
    items: list[dict[str, Any]]


def variable(name: str, example: str) -> str:
    """Return what a variable of the environment holds.

    Raises:
        ConfigError: it is not set, or empty.
    """
    value = os.environ.get(name)
    if not value:
        raise ConfigError(f"{name} must be set, as in {name}={example}")
    return value


def read_catalog() -> tuple[pa.Table, str]:
    """Return the rows of the catalogue, and the column that names an item.

    Raises:
        ConfigError: CATALOG or KEY is missing or wrong.
    """
    place, key = variable("CATALOG", "catalog.parquet"), variable("KEY", "sku")
    try:
        catalog = pq.read_table(place)
    except (OSError, pa.ArrowInvalid) as err:
        raise ConfigError(f"CATALOG must name a Parquet file that can be read, got {place!r}") from err
    if key not in catalog.column_names:
        raise ConfigError(f"KEY must be a column of {place}, one of {', '.join(catalog.column_names)}, got {key!r}")
    return catalog, key


def read_timeout_s() -> float:
    """Return how long a ranking may take, in seconds.

    Raises:
        ConfigError: TIMEOUT_S is wrong.
    """
    text = os.environ.get("TIMEOUT_S", "0.2")
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = math.nan
    if not 0 < timeout_s < math.inf:
        raise ConfigError(f"TIMEOUT_S must be seconds above 0, as in TIMEOUT_S=0.2, got {text!r}")
    return timeout_s


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect, encode the catalogue once, and open the log; a process whose server does not answer does not start."""
    (catalog, key), timeout_s = read_catalog(), read_timeout_s()
    url = os.environ.get("TRITON", "localhost:8000").split(",")
    async with pr.AsyncRanker(url, os.environ.get("MODEL")) as ranker:
        items, one_item = await ranker.items(catalog, key=key), await ranker.items(catalog[:1], key=key)
        with pr.ImpressionLog(os.environ.get("IMPRESSIONS", "impressions")) as log:
            app.state.service = Service(ranker, items, one_item, log, timeout_s)
            yield


app = FastAPI(title="Ranking", lifespan=lifespan)


def service(request: Request) -> Service:
    """Return what this process holds."""
    found: Service = request.app.state.service
    return found


Held = Annotated[Service, Depends(service)]


@app.post("/rank")
async def rank(wanted: Wanted, held: Held) -> Ranked:
    """Rank the catalogue for one user, and write down what they are shown."""
    answer = await held.ranker.recommend(
        wanted.user,
        held.items,
        top_k=wanted.top_k,
        weights=wanted.weights,
        exclude_seen=wanted.exclude,
        timeout_s=held.timeout_s,
        log=held.log,
    )
    told = {name.decode(): text.decode() for name, text in answer.schema.metadata.items()}
    shown = answer.drop_columns("item")  # the place in the catalogue
    return Ranked(request_id=told["polyrank.request_id"], version=told["polyrank.version"], items=shown.to_pylist())


@app.get("/health")
async def health(held: Held) -> dict[str, Any]:
    """Say whether rankings are answered: an item is ranked for a user of whom nothing is known."""
    ranker = held.ranker
    nobody = dict.fromkeys(ranker.signature.schema.feature_columns)
    await ranker.rank(nobody, held.one_item, timeout_s=held.timeout_s)
    return {"model": ranker.model, "version": ranker.version, "dropped_impressions": held.log.dropped}


@app.exception_handler(pr.PolyrankError)
async def refuse(_: Request, err: Exception) -> JSONResponse:
    """Answer with the one line of an error: 422 for wrong input, 503 for what may pass, 500 for the rest."""
    if isinstance(err, WRONG_INPUT):
        return JSONResponse({"detail": str(err)}, 422)
    if isinstance(err, BUSY):
        return JSONResponse({"detail": str(err)}, 503, {"Retry-After": "1"})
    return JSONResponse({"detail": str(err)}, 500)


@app.exception_handler(RequestValidationError)
async def explain(_: Request, err: Exception) -> JSONResponse:
    """Answer in one line, too, and without the input: FastAPI cannot say NaN, which JSON of Python may hold."""
    faults = err.errors() if isinstance(err, RequestValidationError) else ()
    told = (f"{'.'.join(map(str, fault['loc'][1:])) or 'body'}: {fault['msg']}" for fault in faults)
    return JSONResponse({"detail": "; ".join(told)}, 422)
