"""Every data set goes from `polyrank dataset` to `polyrank train` with the schema that it ships, and is learned."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from artefacts import invented

from polyrank.__main__ import main
from polyrank.models import TrainedRanker
from polyrank.train.datasets import storefront

DOWNLOADS = Path(__file__).parents[3] / "shared" / "data"
OUT = ["--out", "logs.parquet", "--schema", "schema.toml"]
ROWS = invented.ratings(6_000)
INVENTED: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "ml-100k": ("movielens", lambda folder: invented.write_100k(folder, ROWS), "like"),
    "ml-1m": ("movielens", lambda folder: invented.write_1m(folder, ROWS), "love"),
    "ml-25m": (
        "movielens",
        lambda folder: invented.write_csv(folder, invented.ratings(6_000, half_stars=True)),
        "like",
    ),
    "ml-100k of RecBole": ("movielens", lambda folder: invented.write_recbole(folder, ROWS), "like"),
    "ml-1m split by time": ("movielens", lambda folder: invented.write_splits(folder, ROWS), "like"),
    "census-income": (
        "census-income",
        lambda folder: invented.write_census_income(folder, 6_000),
        "income_above_50k",
    ),
    "adult": ("adult", lambda folder: invented.write_adult(folder, 6_000), "never_married"),
}
REAL = {
    "ml-100k": ("movielens", 100_000, ("like", "love")),
    "ml-1m": ("movielens", 1_000_209, ("like", "love")),
    "census-income": ("census-income", 99_762, ("income_above_50k", "never_married")),
}


def train(place: Path, batch_size: int = 256) -> dict[str, dict[str, float]]:
    """Train one epoch on logs.parquet with schema.toml; return the validation metrics."""
    (place / "train.toml").write_text(f"batch_size = {batch_size}\n")
    files = ["logs.parquet", "--schema", "schema.toml", "--config", "train.toml", "--out", "run"]
    assert main(["--quiet", "train", *files]) == 0
    report = msgspec.json.decode((place / "run" / "metrics.json").read_bytes())
    metrics: dict[str, dict[str, float]] = report["validation"]
    return metrics


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    logger = logging.getLogger("polyrank")
    level = logger.level
    yield tmp_path
    logger.setLevel(level)


@pytest.mark.parametrize(("name", "write", "task"), INVENTED.values(), ids=INVENTED)
def test_invented_set_is_learned(place: Path, name: str, write: Callable[[Path], Path], task: str) -> None:
    write(place / "raw")
    assert main(["dataset", name, "raw", *OUT]) == 0
    assert train(place, batch_size=64)[task]["auc"] > 0.6


@pytest.mark.parametrize("folder", REAL)
def test_real_set_is_learned(place: Path, folder: str) -> None:
    name, rows, tasks = REAL[folder]
    source = DOWNLOADS / folder
    if not source.is_dir():
        pytest.skip(f"the data of {folder} are not beside the project, in {DOWNLOADS}")
    assert main(["dataset", name, str(source), *OUT]) == 0
    logs = pq.read_table(place / "logs.parquet")
    assert len(logs) == rows
    pq.write_table(logs.take(list(range(0, rows, max(1, rows // 60_000)))), place / "logs.parquet")
    metrics = train(place)
    assert all(metrics[task]["auc"] > 0.6 for task in tasks)


def test_storefront_is_learned_and_never_better_than_the_truth(place: Path) -> None:
    assert main(["dataset", "storefront", "--rows", "100000", *OUT]) == 0
    metrics = train(place)
    logs = pq.read_table(place / "logs.parquet")
    validation = logs.slice(logs.num_rows - 10_000)  # the newest tenth, up to rows that share a second with the rest
    best = storefront.best_possible(validation)
    for task in ("click", "purchase"):
        assert 0.65 < metrics[task]["auc"] < best[task]["auc"]
    assert best["rating"]["rmse"] < metrics["rating"]["rmse"]
    assert TrainedRanker.load(place / "run").schema.name == "storefront"
