"""The model that is served: 26 categorical and 13 numeric features, one table of 1,000,000 x 16, MLP 128-64."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from polyrank.export import Bundle, ServingOptions, export_onnx, publish
from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit
from polyrank.train.datasets import kuairand

NAME, NAIVE = "served", "naive"
KUAIRAND = Path(__file__).parents[2] / "examples" / "kuairand"
CATEGORICAL, NUMERIC = 26, 13
USER_CATEGORICAL, USER_NUMERIC = 10, 4
"""The first of each are features of users."""

TRAIN = """
epochs = 1
[model]
architecture = "shared_bottom"
hidden_dims = [128, 64]
"""


def schema() -> Schema:
    """Return the schema: the first categorical feature has the table, the others share it."""
    lines = []
    for place in range(CATEGORICAL):
        side = "user" if place < USER_CATEGORICAL else "item"
        table = "num_buckets = 1_000_000, embedding_dim = 16" if place == 0 else 'shares = "c0"'
        lines.append(f'{{ name = "c{place}", kind = "categorical", dtype = "int64", side = "{side}", {table} }}')
    for place in range(NUMERIC):
        side = "user" if place < USER_NUMERIC else "item"
        lines.append(f'{{ name = "n{place}", kind = "numeric", side = "{side}" }}')
    tasks = ", ".join(f'{{ name = "{task}", kind = "binary", label = "is_{task}" }}' for task in ("click", "like"))
    return Schema.from_toml(f'name = "{NAME}"\nfeatures = [{", ".join(lines)}]\ntasks = [{tasks}]')


def rows(count: int, seed: int) -> pa.Table:
    """Draw rows."""
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {f"c{place}": random.integers(0, 10**7, count) for place in range(CATEGORICAL)}
    columns |= {f"n{place}": random.normal(size=count).astype(np.float32) for place in range(NUMERIC)}
    columns |= {f"is_{task}": random.integers(0, 2, count) for task in ("click", "like")}
    return pa.table(columns)


def make_bundle(folder: Path, seed: int = 0) -> Bundle:
    """Train on a few rows, and export both graphs."""
    config = folder / "train.toml"
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(f"seed = {seed}\n{TRAIN}")
    fit(schema(), rows(2_000, seed), out=folder / "run", config=TrainConfig.load(config), progress=False)
    return export_onnx(folder / "run", out=folder / "bundle")


def kuairand_bundle(folder: Path) -> tuple[Bundle, pa.Table]:
    """Train the demo's model, with a history, on the newest logs for a moment; return its bundle and those logs."""
    logs = kuairand.load(KUAIRAND)
    newest = logs.slice(logs.num_rows - 60_000)
    config = TrainConfig.load(KUAIRAND / "train.toml")
    fit(Schema.load(KUAIRAND / "schema.toml"), newest, out=folder / "run", config=config, progress=False)
    return export_onnx(folder / "run", out=folder / "bundle"), newest


def publish_bundle(bundle: Bundle, repository: Path, name: str = NAME, options: ServingOptions | None = None) -> None:
    """Publish it; by default as `polyrank publish` does that is told nothing."""
    publish(bundle, repository, name=name, options=options or ServingOptions())


def publish_naive(bundle: Bundle, repository: Path) -> None:
    """Publish it behind the backend that one writes first, which takes all cores as ONNX Runtime does by default."""
    publish_bundle(bundle, repository, NAIVE)
    shutil.copy(Path(__file__).parent / "naive" / "model.py", repository / NAIVE / "1")
    config = repository / NAIVE / "config.pbtxt"
    config.write_text(config.read_text().replace('"onnxruntime"', '"python"'))
