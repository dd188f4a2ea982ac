"""`polyrank evaluate` finds what training found, and the same of a run, its bundle and the real Triton."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from artefacts.evaluated import EVERY_TASK, schema_of, table_of

from polyrank.__main__ import main
from polyrank.evaluation.results import Result
from polyrank.export import ExportOptions, export_onnx, publish
from polyrank.serving import Server, serve
from polyrank.train import TrainConfig, fit

SCHEMA = schema_of(*EVERY_TASK, extra='group = "user"\ntime = "at"\nsample_weight = "weight"')
QUICK = ["--resamples", "40", "--importance-rows", "60", "--catalogue-users", "8", "--by", "price", "--by", "history"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of training and of later, a run with every kind of task, its bundle, and the repository that serves it."""
    folder = tmp_path_factory.mktemp("evaluate")
    pq.write_table(table_of(1_500), folder / "rows.parquet")
    pq.write_table(table_of(300, 5), folder / "later.parquet")
    run = fit(
        SCHEMA,
        folder / "rows.parquet",
        out=folder / "run",
        # Of this seed no two answers of a task lie so near one another that rounding decides which is the larger.
        config=TrainConfig(batch_size=64, epochs=3, seed=6),
        progress=False,
        cache=folder,
    )
    bundle = export_onnx(run.path, out=folder / "bundle", options=ExportOptions(requests=None))
    publish(bundle, folder / "models", name="ranker")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serve(folder / "models") as running:
        yield running


def evaluation(folder: Path, model: str, *options: str, rows: str = "later.parquet") -> Result:
    out = folder / "evaluation.json"
    assert main(["--quiet", "evaluate", model, str(folder / rows), *QUICK, *options, "--out", str(out)]) == 0
    return Result.load(out)


@pytest.fixture(scope="module")
def of_run(folder: Path) -> Result:
    return evaluation(folder, str(folder / "run"))


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return every number and text of a result by where it is, but not which model, when and how long."""
    if isinstance(value, dict):
        parts = [(f"{path}.{name}", part) for name, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"{path}[{place}]", part) for place, part in enumerate(value)]
    else:
        return {path: value}
    skipped = (".model", ".seconds", ".created")
    return {where: each for at, part in parts if at not in skipped for where, each in flat(part, at).items()}


def assert_same(found: Result, expected: Result) -> None:
    """Hold numbers to what a graph's answers are held to."""
    ours, theirs = (flat(msgspec.to_builtins(result)) for result in (found, expected))
    assert ours == {
        where: pytest.approx(value, abs=1e-5, rel=1e-5) if isinstance(value, float) else value
        for where, value in theirs.items()
    }


def test_rows_that_validated_have_the_metrics_of_the_run(folder: Path) -> None:
    found = evaluation(folder, str(folder / "run"), "--validation-of", str(folder / "run"), rows="rows.parquet")
    report = json.loads((folder / "run" / "metrics.json").read_text())
    assert {task.task: {metric.name: metric.value for metric in task.metrics} for task in found.tasks} == report[
        "validation"
    ]
    assert found.data.rows == report["validation_rows"]
    assert {task.task: task.counts for task in found.tasks} == report["counts"]


def test_every_part_of_an_evaluation_is_there(of_run: Result) -> None:
    assert [task.kind for task in of_run.tasks if task.metrics[0].value is not None] == [
        "binary",
        "binary",
        "regression",
        "regression",
        "ordinal",
        "multiclass",
        "count",
    ]
    assert of_run.catalogue is not None
    assert of_run.importance is not None
    assert of_run.ordering is not None
    assert len(flat(msgspec.to_builtins(of_run))) > 2_000


def test_bundle_is_found_as_good_as_its_run(folder: Path, of_run: Result) -> None:
    found = evaluation(folder, str(folder / "bundle"))
    assert_same(found, of_run)
    assert (found.model.kind, found.model.run_id) == ("bundle", of_run.model.run_id)


@pytest.mark.triton
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_server_is_found_as_good_as_the_run(folder: Path, of_run: Result, server: Server, protocol: str) -> None:
    url = server.url if protocol == "http" else server.grpc_url
    found = evaluation(folder, url)
    assert_same(found, of_run)
    assert (found.model.kind, found.model.name, found.model.version) == ("server", "ranker", "1")


@pytest.mark.triton
@pytest.mark.parametrize("model", ["run", "bundle", "models/ranker/1"])
def test_server_answers_for_what_it_serves(folder: Path, of_run: Result, server: Server, model: str) -> None:
    found = evaluation(folder, str(folder / model), "--url", server.url)
    assert_same(found, of_run)
    assert (found.model.kind, found.model.source) == ("server", server.url)


@pytest.mark.triton
def test_server_of_another_run_is_refused(
    folder: Path, server: Server, toy_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(toy_run), str(folder / "later.parquet"), "--url", server.url]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: --url {server.url} serves run ")
    assert error.count("\n") == 1
