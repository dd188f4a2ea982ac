"""`polyrank loadtest --items`: rankings against the real Triton."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from toy import toy_table

from polyrank.__main__ import main
from polyrank.errors import ConfigError, ModelNotReadyError
from polyrank.export import ExportOptions, export_onnx, publish
from polyrank.serving import ModelControl, Ranker, Server, serve
from polyrank.serving.load_target import LoadOptions, load_target
from polyrank.serving.loadtest import measure

OPTIONS = LoadOptions(rows=7, ranks=True, seconds=1.0, warm_up_s=0.1)

pytestmark = pytest.mark.triton


@pytest.fixture(scope="module")
def server(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rankings")
    publish(export_onnx(toy_run, out=folder / "bundle"), folder / "models", name="toy")
    alone = export_onnx(toy_run, out=folder / "rows", options=ExportOptions(requests=None))
    publish(alone, folder / "models", name="alone")
    with serve(folder / "models") as running:
        yield running


def test_requests_are_those_of_the_client(server: Server) -> None:
    rows = toy_table(20)
    calls = load_target(server.url, "toy", rows, OPTIONS).calls
    assert [call.model for call in calls] == ["toy_rank", "toy_rank"]
    with Ranker(server.url, "toy") as ranker, ModelControl(server.url) as control:
        for call, start in zip(calls, (0, 7), strict=True):
            ranked = ranker.rank(rows.slice(start, 1), rows.slice(start, 7)).sort_by("item")
            answer = control.answer("toy_rank", 1, call.tensors)
            assert_allclose(np.ravel(answer["score"]), ranked["score"].to_numpy(), rtol=1e-6)


def test_rankings_are_answered_and_timed(server: Server) -> None:
    load = measure(load_target(server.url, "toy", toy_table(20), OPTIONS), 30.0, OPTIONS)
    assert (load.errors, load.versions) == ({}, ("1",))
    assert 0 < load.p50_ms <= load.max_ms


def test_model_without_a_graph_over_requests_is_refused(server: Server) -> None:
    message = r"does not serve 'alone_rank', which answers rankings; export without --rows-only, or send rows$"
    with pytest.raises(ModelNotReadyError, match=message):
        load_target(server.url, "alone", toy_table(20), OPTIONS)


def test_more_items_than_a_request_takes_are_refused(server: Server) -> None:
    with pytest.raises(ConfigError, match=r"^rows must be at most 8192 items in a request, got 8193$"):
        load_target(server.url, "toy", toy_table(20), LoadOptions(rows=8193, ranks=True))


def test_verb_says_what_a_request_was(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(toy_table(20), tmp_path / "rows.parquet")
    command = ["loadtest", server.url, str(tmp_path / "rows.parquet"), "--name", "toy", "--items", "5"]
    command += ["--seconds", "0.5", "--rates", "20"]
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("toy version 1, a user and 5 items a request\n")
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["batch"], found["ranks"]) == (5, True)
