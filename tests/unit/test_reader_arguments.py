"""Whatever reads a file or a folder refuses in one line what is no path, and what reads text what is none."""

from collections.abc import Callable
from typing import Any

import pytest

from polyrank.errors import ConfigError
from polyrank.export import Bundle, ExportOptions, ServingOptions, check_live, export_module, export_onnx
from polyrank.export.inspecting import inspect
from polyrank.loop.settings import Loop
from polyrank.models import TrainedRanker
from polyrank.schema import Schema
from polyrank.serving import ClientOptions
from polyrank.signature import Signature
from polyrank.train import TrainConfig
from polyrank.train.datasets import adult, census_income, kuairand, movielens

READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a schema": ("path", Schema.load),
    "a signature": ("bundle", Signature.load),
    "a bundle": ("path", Bundle.load),
    "a configuration": ("path", TrainConfig.load),
    "serving options": ("path", ServingOptions.load),
    "client options": ("path", ClientOptions.load),
    "loop settings": ("path", Loop.load),
    "a run": ("run", TrainedRanker.load),
    "a run to export": ("run", lambda value: export_onnx(value, out="bundle")),
    "an output": ("out", lambda value: export_onnx("run", out=value)),
    "a bundle to check": ("bundle", lambda value: check_live(None, value)),  # type: ignore[arg-type]
    "a file to inspect": ("path", inspect),
    "Adult": ("folder", adult.load),
    "Census-Income": ("folder", census_income.load),
    "KuaiRand": ("folder", kuairand.load),
    "MovieLens": ("folder", movielens.load),
}


@pytest.mark.parametrize("value", [3, "", "a\0b"], ids=["a number", "empty", "NUL"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_path_is_refused(reader: str, value: object) -> None:
    name, read = READERS[reader]
    with pytest.raises(ConfigError, match=rf"^{name} must be a path, got "):
        read(value)


@pytest.mark.parametrize("parse", [Schema.from_toml, Signature.from_json])
def test_what_is_no_text_is_refused(parse: Callable[[Any], Any]) -> None:
    with pytest.raises(ConfigError, match=r"^text must be (TOML|JSON) text, got 3$"):
        parse(3)


EXPORTS: dict[str, Callable[[Any], object]] = {
    "run": lambda options: export_onnx("run", out="bundle", options=options),
    "module": lambda options: export_module(None, None, None, out="bundle", options=options),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize(("options", "got"), [("1.24", r"'1\.24'"), ({}, "dict"), (0, "0")])
def test_options_of_another_kind_are_refused(export: str, options: object, got: str) -> None:
    with pytest.raises(ConfigError, match=rf"^options must be ExportOptions\(\.\.\.\), got {got}$"):
        EXPORTS[export](options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"onnxruntime": 1.24}, r"^onnxruntime must be text, without lone surrogates, got 1\.24$"),
        ({"verified_with": 1.24}, r"^verified_with must be text, without lone surrogates, got 1\.24$"),
        ({"triton": 26}, r"^triton must be text, without lone surrogates, got 26$"),
        ({"precision": "int8"}, r"^precision must be Precision\(\.\.\.\), got 'int8'$"),
        ({"requests": True}, r"^requests must be RequestOptions\(\.\.\.\), got True$"),
    ],
)
def test_options_of_an_export_are_of_their_kinds(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExportOptions(**options)
