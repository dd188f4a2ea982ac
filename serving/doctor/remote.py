"""A server that runs somewhere: whether it answers, with which models, and whether a client can read them."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from polyrank.errors import PolyrankError, RepositoryError, RequestError
from polyrank.serving.calls import CONFIG, INDEX, SERVER_READY, Question
from polyrank.serving.one_server import OneServer
from polyrank.serving.options import ClientOptions
from polyrank.signature import RAW_BACKEND, SIGNATURE_KEY, Signature

from .finding import Finding

TIMEOUT_S = 5.0
_ABOUT = Question("GET", "/v2", "ServerMetadata")
_STATISTICS = Question("GET", "/v2/models/{model}/stats", "ModelStatistics", {"model": "name"})
_UNLOADED = "unloaded"
_TOLERANCE_S = 2.0
_PORTS = "check the port: 8000 is that for HTTP, 8001 for gRPC and 8002 for metrics by default"


def findings(url: str, client: ClientOptions | None = None) -> Iterator[Finding]:
    """Look at a server.

    Args:
        url: of the server, as `Ranker` takes it.
        client: how it is called; None takes the defaults.

    Raises:
        ConfigError: It is no address.
    """
    server = OneServer(url, TIMEOUT_S, client)
    try:
        yield from _server(server, url)
    except PolyrankError as err:
        yield Finding.fail(f"server {url}", str(err), "start it, or check address, port and TLS")
    finally:
        server.close()


def _server(server: OneServer, url: str) -> Iterator[Finding]:
    try:
        about = server.ask(_ABOUT)
    except RequestError as err:  # it is there, and no port of a server that serves models
        yield Finding.fail(f"server {url}", str(err), _PORTS)
        return
    if not about.get("name"):
        yield Finding.fail(f"server {url}", "answers, and does not say what it is, as a server of models does", _PORTS)
        return
    yield Finding.ok(f"server {url}", f"lives: {about.get('name')} {about.get('version')}")
    if server.ask(SERVER_READY)["ready"]:
        yield Finding.ok("readiness", "ready")
    else:
        yield Finding.fail("readiness", "not ready: a model does not load, or it is stopping", "look at its log")
    index = server.ask(INDEX).get("models", [])
    if not any(entry.get("state") == "READY" for entry in index):
        yield Finding.fail("models", "none is ready", "load one: `polyrank publish BUNDLE REPOSITORY --to URL`")
    for entry in index:
        yield from _model(server, entry)


def _model(server: OneServer, entry: Mapping[str, str]) -> Iterator[Finding]:
    model, state, reason = entry["name"], entry.get("state", ""), entry.get("reason", "")
    name = f"model {model}"
    if state == "READY":
        yield Finding.ok(name, f"version {entry.get('version')} is ready")
        yield _signature(model, server.ask(CONFIG, model=model))
        statistics = server.ask(_STATISTICS, model=model).get("model_stats", [])
        last_ms = max((int(each.get("last_inference", 0)) for each in statistics), default=0)
        yield from clock(model, last_ms / 1e3, time.time())
    elif reason in ("", _UNLOADED):
        yield Finding.ok(name, "in the repository, not loaded")
    else:
        found = f"version {entry.get('version', '?')} is {state}: {' '.join(reason.split())}"
        yield Finding.fail(name, found, "publish it again")


def _signature(model: str, config: Mapping[str, Any]) -> Finding:
    name, parameters = f"signature of {model}", config.get("parameters", {})
    if config.get("backend") == RAW_BACKEND:
        return Finding.ok(name, "none is needed: it takes a tensor for each feature, and encodes rows itself")
    if SIGNATURE_KEY not in parameters:
        return Finding.warn(name, "absent", "`polyrank publish` writes one; without it the client cannot encode rows")
    try:
        signature = Signature.from_json(parameters[SIGNATURE_KEY]["string_value"])
    except RepositoryError as err:
        return Finding.fail(name, str(err), "export and publish the model with this Polyrank, or upgrade the client")
    tasks = ", ".join(task.name for task in signature.schema.tasks)
    return Finding.ok(name, f"{len(signature.schema.features)} features, tasks {tasks}, run {signature.run_id}")


def clock(model: str, answered_s: float, now_s: float) -> Iterator[Finding]:
    """Say whether a server's clock is ahead: its last answer cannot lie in the future.

    Args:
        model: Whose last answer.
        answered_s: When the server says that it was, in seconds since 1970; 0 is never.
        now_s: This machine's time.
    """
    ahead_s = answered_s - now_s
    if ahead_s > _TOLERANCE_S:
        found = f"the last answer of {model} lies {ahead_s:.0f} s in the future"
        yield Finding.warn(
            "clock", found, "set the clocks of both machines by NTP: logs and time features depend on it"
        )
