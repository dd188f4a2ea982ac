"""The code blocks of docs/client.md and docs/impressions.md run as they stand, against the schema of the former."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from artefacts import shown

from polyrank.export import export_onnx, publish
from polyrank.schema import Schema
from polyrank.serving import Server, serve
from polyrank.train import TrainConfig, fit

pytestmark = pytest.mark.triton

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "client.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
IMPRESSIONS = (DOCS / "impressions.md").read_text()


def shop(rows: int) -> pa.Table:
    random = np.random.default_rng(0)
    return pa.table(
        {
            "user_id": random.integers(0, 99, rows),
            "device": random.choice(["phone", "desk"], rows),
            "item_id": random.integers(0, 99, rows),
            "price": random.random(rows),
            "clicked": random.integers(0, 2, rows),
            "bought": random.integers(0, 2, rows),
        }
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server of the page's schema, and the folder where its bundle is `work/bundle`."""
    (schema,) = [Schema.from_toml(text) for kind, text in BLOCKS if kind == "toml"]
    folder = tmp_path_factory.mktemp("client_docs")
    run = fit(schema, shop(600), out=folder / "run", config=TrainConfig(epochs=1), progress=False)
    bundle = export_onnx(run.path, out=folder / "work" / "bundle")
    publish(bundle, folder / "models", name="shop")
    with serve(folder / "models") as running:
        yield running, folder


def test_python_blocks_run_as_written(
    server: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running, folder = server
    monkeypatch.chdir(folder)
    place = running.url.removeprefix("http://")
    names: dict[str, Any] = {}
    for block in PYTHON:
        exec(compile(block.replace("localhost:8000", place), "docs/client.md", "exec"), names)  # noqa: S102
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("['click', 'buy'] ['item', 'score', 'click', 'buy'] [")
    assert second == "20"
    assert re.fullmatch(r"\[0\.\d+, 0\.\d+\]", third)
    assert set(names["best"]["sku"].to_pylist()) == {"a", "c"}


def test_blocks_about_impressions_run_as_written(
    server: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running, folder = server
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", IMPRESSIONS, flags=re.MULTILINE | re.DOTALL):
        place = running.url.removeprefix("http://")
        exec(compile(block.replace("localhost:8000", place), "docs/impressions.md", "exec"), names)  # noqa: S102
    first, second = capsys.readouterr().out.splitlines()
    assert len(set(first.split())) == 1
    assert second.startswith("['item', 'sku', 'score', 'click', 'buy', 'arm'] [")
    rows = shown.rows(folder / "impressions")
    assert rows["request_id"].to_pylist()[:2] == [names["request_id"]] * 2
    assert rows["rank"].to_pylist() == [1, 2] * 3
    assert rows["arm"].to_pylist() == [None] * 4 + [first.split()[0]] * 2


def test_table_of_arguments_of_the_log_has_their_defaults() -> None:
    import inspect

    from polyrank.serving import ImpressionLog

    for name, parameter in inspect.signature(ImpressionLog).parameters.items():
        default = f"{parameter.default:,g}" if isinstance(parameter.default, float | int) else None
        default = "true" if parameter.default is True else default
        assert default is None or f"| `{name}` | {default} |" in IMPRESSIONS


def test_table_of_options_has_their_defaults() -> None:
    from polyrank.serving import ClientOptions

    options = ClientOptions()
    for name in ("attempts", "parallel"):
        assert f"| `{name}` | {getattr(options, name)} |" in PAGE
    assert f"| `backoff_s`, `backoff_limit_s` | {options.backoff_s}, {options.backoff_limit_s} |" in PAGE
