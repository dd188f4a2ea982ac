"""What the page's server does not answer, told as everything else is: JSON with one line."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from polyrank.arguments import shown

NAMES = ("127.0.0.1", "localhost")
"""Hosts that the page answers under."""

_WORDS = {
    404: "nothing is at {path}: the page is at /, and what it asks for at /api/model, /api/user and /api/rank",
    405: "{method} is not answered at {path}; ask with GET",
}


def as_json(body: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response, which nobody keeps."""
    return Response(
        msgspec.json.encode(body), status, {"Cache-Control": "no-store"} | dict(headers or {}), "application/json"
    )


async def refuse(request: Request, err: Exception) -> Response:
    """Answer what no route does."""
    if not isinstance(err, HTTPException):
        return as_json({"error": "the page's server failed; its terminal says why"}, 500)
    words = _WORDS.get(err.status_code)
    line = err.detail if words is None else words.format(path=shown(request.url.path), method=request.method)
    return as_json({"error": line}, err.status_code, err.headers)


class OwnNames:
    """Answers requests to this machine's own names alone.

    A page of another site may not reach this one under a name that it points to this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else NAMES[0]
        if host.partition(":")[0] in NAMES:
            await self._app(scope, receive, send)
        else:
            line = f"host must be {' or '.join(NAMES)}, got {shown(host)}"
            await as_json({"error": line}, 400)(scope, receive, send)
