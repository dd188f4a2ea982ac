"""Serving: the embedded Triton server and the client that queries it. Needs neither PyTorch nor ONNX."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .async_client import AsyncRanker as AsyncRanker
    from .client import Ranker as Ranker
    from .control import ModelControl as ModelControl
    from .impressions import ImpressionLog as ImpressionLog
    from .items import Items as Items
    from .local import LocalRanker as LocalRanker
    from .lockdown import Lockdown as Lockdown
    from .options import ClientOptions as ClientOptions
    from .options import TlsFiles as TlsFiles
    from .server import Server as Server
    from .server import serve as serve
    from .server_config import ServerConfig as ServerConfig
    from .split import AsyncSplit as AsyncSplit
    from .split import Split as Split
    from .split import team_draft as team_draft
    from .telemetry import Metrics as Metrics
    from .telemetry import Telemetry as Telemetry
    from .triton_options import ServerTls as ServerTls

_HOMES = {
    "AsyncRanker": ".async_client",
    "AsyncSplit": ".split",
    "ClientOptions": ".options",
    "ImpressionLog": ".impressions",
    "Items": ".items",
    "Metrics": ".telemetry",
    "LocalRanker": ".local",
    "Lockdown": ".lockdown",
    "ModelControl": ".control",
    "Ranker": ".client",
    "Server": ".server",
    "ServerConfig": ".server_config",
    "ServerTls": ".triton_options",
    "Split": ".split",
    "Telemetry": ".telemetry",
    "TlsFiles": ".options",
    "serve": ".server",
    "team_draft": ".split",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 (the names are the keys above)


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` on first use, so that a client does not load the server."""
    if name not in _HOMES:
        raise AttributeError(f"module 'polyrank.serving' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value
