"""The code blocks of docs/client.md and docs/impressions.md run as they stand, against the schema of the former."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from artefacts import shown
from artefacts.page_session import Session, run_page
from artefacts.pages import DOCS, blocks

from polyrank.export import export_onnx, publish
from polyrank.schema import Schema
from polyrank.serving import ClientOptions, Server, serve
from polyrank.train import TrainConfig, fit

pytestmark = pytest.mark.triton

PAGE = DOCS / "client.md"
IMPRESSIONS = DOCS / "impressions.md"


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
    schema = Schema.from_toml(next(block.text for block in blocks(PAGE) if block.language == "toml"))
    folder = tmp_path_factory.mktemp("client_docs")
    run = fit(schema, shop(600), out=folder / "run", config=TrainConfig(epochs=1), progress=False)
    bundle = export_onnx(run.path, out=folder / "work" / "bundle")
    for name in ("shop", "shop-new"):
        publish(bundle, folder / "models", name=name)
    with serve(folder / "models") as running:
        yield running, folder


def test_python_blocks_run_as_written(server: tuple[Server, Path]) -> None:
    running, folder = server
    with Session(folder, int(running.url.rpartition(":")[2])) as session:
        first, second, third = filter(None, run_page(PAGE, session))
    assert re.fullmatch(r"\['click', 'buy'\] \['item', 'score', 'click', 'buy'\] \[('a', 'c'|'c', 'a')\]", first)
    assert second == "20"
    assert re.fullmatch(r"\[0\.\d+, 0\.\d+\]", third)


def test_blocks_about_impressions_run_as_written(server: tuple[Server, Path]) -> None:
    running, folder = server
    with Session(folder, int(running.url.rpartition(":")[2])) as session:
        first, second = filter(None, run_page(IMPRESSIONS, session))
    assert len(set(first.split())) == 1
    assert second.startswith("['item', 'sku', 'score', 'click', 'buy', 'arm'] [")
    rows = shown.rows(folder / "impressions")
    assert rows["request_id"][0] == rows["request_id"][1]
    assert rows["rank"].to_pylist() == [1, 2] * 3
    assert rows["arm"].to_pylist() == [None] * 4 + [first.split()[0]] * 2


def test_table_of_arguments_of_the_log_has_their_defaults() -> None:
    import inspect

    from polyrank.serving import ImpressionLog

    page = IMPRESSIONS.read_text()
    for name, parameter in inspect.signature(ImpressionLog).parameters.items():
        default = f"{parameter.default:,g}" if isinstance(parameter.default, float | int) else None
        default = "true" if parameter.default is True else default
        assert default is None or f"| `{name}` | {default} |" in page


def test_file_of_options_is_one(tmp_path: Path) -> None:
    _, text = [block.text for block in blocks(PAGE) if block.language == "toml"]
    (tmp_path / "client.toml").write_text(text)
    options = ClientOptions.load(tmp_path / "client.toml")
    assert (options.attempts, [*options.headers], options.tls.ca) == (
        3,
        ["triton-grpc-protocol-control-key"],
        tmp_path / "ca.pem",
    )


def test_table_of_options_has_their_defaults() -> None:
    options, page = ClientOptions(), PAGE.read_text()
    for name in ("attempts", "parallel"):
        assert f"| `{name}` | {getattr(options, name)} |" in page
    assert f"| `backoff_s`, `backoff_limit_s` | {options.backoff_s}, {options.backoff_limit_s} |" in page
