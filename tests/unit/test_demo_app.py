"""What the demo's page answers to wrong questions, without a server behind it."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, Self

import pytest

from polyrank.errors import ConfigError, ModelNotReadyError, ServerUnavailableError
from polyrank.serving.web import app as app_module
from polyrank.serving.web.app import Demo, make_app


class Ranker:
    """A client of a server that serves version 1, or none."""

    live: tuple[str, ...] = ("1",)

    def __init__(self, _url: str, model: str, *, timeout_s: float, options: None, version: str | None = None) -> None:
        assert (timeout_s > 0, options) == (True, None)
        self._model, self._version = model, version

    async def __aenter__(self) -> Self:
        if not self.live:
            raise ServerUnavailableError("no server answers")
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    @property
    def served(self) -> Any:
        return SimpleNamespace(versions=self.live, widths={})

    async def items(self, _rows: object, *, key: str | None) -> Any:
        assert key is None
        raise ModelNotReadyError(f"version {self._version} of {self._model} is not live")

    async def close(self) -> None:
        pass


class Logs:
    items = None

    def of_user(self, _name: str) -> Any:
        return SimpleNamespace(features={})


def asked(demo: Any, path: str, *, method: str = "GET", host: str = "localhost:8080") -> tuple[int, Any]:
    """Return status and JSON of an answer."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
    }
    rest = {"headers": [(b"host", host.encode())], "scheme": "http", "server": ("127.0.0.1", 8080), "root_path": ""}
    asyncio.run(make_app(demo)(scope | rest, receive, send))  # type: ignore[arg-type]
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Demo:
    monkeypatch.setattr(app_module, "AsyncRanker", Ranker)
    return Demo("localhost:8000", "pair", Logs())  # type: ignore[arg-type]


def test_version_that_is_not_live_is_not_found(demo: Demo) -> None:
    error = "version must be one that is live, which are 1, got '9'"
    assert asked(demo, "/api/rank?user=7&version=9") == (404, {"error": error})


def test_no_client_is_made_for_versions_that_are_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Counted(Ranker):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(options.get("version"))

    monkeypatch.setattr(app_module, "AsyncRanker", Counted)
    demo = Demo("localhost:8000", "pair", Logs())  # type: ignore[arg-type]
    for version in range(2, 6):
        assert asked(demo, f"/api/rank?user=7&version={version}")[0] == 404
    assert set(made) == {None}


def test_version_that_comes_back_may_be_asked_again(demo: Demo) -> None:
    assert asked(demo, "/api/rank?user=7&version=1") == (503, {"error": "version 1 of pair is not live"})


def test_server_that_does_not_answer_is_no_version_that_is_absent(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ranker, "live", ())
    assert asked(demo, "/api/rank?user=7&version=9") == (503, {"error": "no server answers"})


@pytest.mark.parametrize("k", ["0", "101", "9" * 5_000, "-1", "³"])
def test_count_out_of_range_is_refused(demo: Demo, k: str) -> None:
    status, body = asked(demo, f"/api/rank?user=7&k={k}")
    assert (status, body["error"][:27]) == (400, "k must be in [1, 100], got ")


@pytest.mark.parametrize("path", ["/nope", "/api/nope", "/api"])
def test_path_with_nothing_there_is_told_in_json(demo: Demo, path: str) -> None:
    places = "the page is at /, and what it asks for at /api/model, /api/user and /api/rank"
    assert asked(demo, path) == (404, {"error": f"nothing is at '{path}': {places}"})


@pytest.mark.parametrize("path", ["/", "/api/rank"])
def test_other_method_is_told_in_json(demo: Demo, path: str) -> None:
    error = f"POST is not answered at '{path}'; ask with GET"
    assert asked(demo, path, method="POST") == (405, {"error": error})


def test_name_of_another_machine_is_told_in_json(demo: Demo) -> None:
    error = "host must be 127.0.0.1 or localhost, got 'elsewhere.example'"
    assert asked(demo, "/api/model", host="elsewhere.example") == (400, {"error": error})


def test_wrong_argument_of_the_client_is_a_wrong_question(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_self: Ranker, _rows: object, *, key: str | None) -> Any:
        raise ConfigError(f"weights['click'] must be at most 1e30, got 1e+99 {key}")

    monkeypatch.setattr(Ranker, "items", refuse)
    assert asked(demo, "/api/rank?user=7&w.click=1e99")[0] == 400
