"""Polyrank: multi-task recommender rankers from logs to live traffic.

Importing this package is cheap: each public name loads its room (training, export, serving) when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from polyrank.encoder import Batch as Batch
    from polyrank.encoder import Encoder as Encoder
    from polyrank.errors import PolyrankError as PolyrankError
    from polyrank.evaluation.options import EvaluationOptions as EvaluationOptions
    from polyrank.export import Bundle as Bundle
    from polyrank.export import export_module as export_module
    from polyrank.export import export_onnx as export_onnx
    from polyrank.export import publish as publish
    from polyrank.model_evaluation import evaluate_model as evaluate_model
    from polyrank.models import ModelConfig as ModelConfig
    from polyrank.schema import Schema as Schema
    from polyrank.serving import AsyncRanker as AsyncRanker
    from polyrank.serving import AsyncSplit as AsyncSplit
    from polyrank.serving import ClientOptions as ClientOptions
    from polyrank.serving import ImpressionLog as ImpressionLog
    from polyrank.serving import LocalRanker as LocalRanker
    from polyrank.serving import Ranker as Ranker
    from polyrank.serving import Server as Server
    from polyrank.serving import ServerConfig as ServerConfig
    from polyrank.serving import Split as Split
    from polyrank.serving import serve as serve
    from polyrank.signature import Signature as Signature
    from polyrank.train import Run as Run
    from polyrank.train import TrainConfig as TrainConfig
    from polyrank.train import fit as fit

_HOMES = {
    "AsyncRanker": "polyrank.serving",
    "AsyncSplit": "polyrank.serving",
    "Batch": "polyrank.encoder",
    "Bundle": "polyrank.export",
    "ClientOptions": "polyrank.serving",
    "Encoder": "polyrank.encoder",
    "EvaluationOptions": "polyrank.evaluation.options",
    "ImpressionLog": "polyrank.serving",
    "LocalRanker": "polyrank.serving",
    "ModelConfig": "polyrank.models",
    "PolyrankError": "polyrank.errors",
    "Ranker": "polyrank.serving",
    "Run": "polyrank.train",
    "Schema": "polyrank.schema",
    "Server": "polyrank.serving",
    "ServerConfig": "polyrank.serving",
    "Signature": "polyrank.signature",
    "Split": "polyrank.serving",
    "TrainConfig": "polyrank.train",
    "evaluate_model": "polyrank.model_evaluation",
    "export_module": "polyrank.export",
    "export_onnx": "polyrank.export",
    "fit": "polyrank.train",
    "publish": "polyrank.export",
    "serve": "polyrank.serving",
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 (the names are the keys above)


def __getattr__(name: str) -> Any:
    """Import the room that holds `name` on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'polyrank' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return list(__all__)
