"""The client against a real server: what it scores is what PyTorch scores. Needs neither PyTorch nor ONNX to run."""

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from artefacts.processes import frozen
from artefacts.served import Scores, load_scores, swap_rows
from tritonclient import grpc

from polyrank.__main__ import main
from polyrank.errors import DataError, DeadlineExceededError, PolyrankError, RequestError, ServerUnavailableError
from polyrank.serving import ClientOptions, Ranker
from polyrank.serving.server import Server, serve

pytestmark = pytest.mark.triton

TASKS = ["click", "like", "rating", "watch_s"]


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[Server]:
    with serve(served / "repository") as running:
        yield running


@pytest.fixture(scope="module")
def rows(served: Path) -> pa.Table:
    return pyarrow.parquet.read_table(served / "rows.parquet")


@pytest.fixture(scope="module")
def expected(served: Path) -> Scores:
    return load_scores(served / "scores.npz")


@pytest.fixture(scope="module", params=["http", "grpc"])
def url(server: Server, request: pytest.FixtureRequest) -> str:
    return {"http": server.url, "grpc": f"grpc://{server.grpc_url}"}[request.param]


@pytest.fixture(scope="module")
def ranker(url: str) -> Iterator[Ranker]:
    with Ranker(url, "toy") as client:
        yield client


def assert_scores(scores: pa.Table, expected: Scores, start: int = 0) -> None:
    assert scores.column_names == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(scores[name].to_numpy(), values[start : start + len(scores)], rtol=1e-5, atol=1e-5)


FORMS: dict[str, Callable[[pa.Table], Any]] = {
    "pyarrow table": lambda table: table,
    "record batch": lambda table: table.combine_chunks().to_batches()[0],
    "chunked table": lambda table: pa.concat_tables([table[:7], table[7:8], table[8:]]),
    "pandas": lambda table: table.to_pandas(),
    "pandas with Arrow types": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "list of dicts": lambda table: table.to_pylist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_rows_scores_like_pytorch(ranker: Ranker, rows: pa.Table, expected: Scores, form: str) -> None:
    assert_scores(ranker.score(FORMS[form](rows)), expected)


def test_scores_are_one_float32_column_per_task(ranker: Ranker, rows: pa.Table) -> None:
    schema = ranker.score(rows[:3]).schema
    assert (schema.names, schema.types) == (TASKS, [pa.float32()] * 4)


def test_order_of_rows_is_kept(ranker: Ranker, rows: pa.Table, expected: Scores) -> None:
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = {name: values[order] for name, values in expected.items()}
    assert np.abs(shuffled["click"] - expected["click"]).max() > 0.01
    assert_scores(ranker.score(rows.take(order)), shuffled)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 129])
def test_rows_above_the_batch_limit_are_split(ranker: Ranker, rows: pa.Table, expected: Scores, count: int) -> None:
    scores = ranker.score(rows[:count])
    assert len(scores) == count
    assert_scores(scores, expected)


def test_labels_and_other_columns_are_ignored(ranker: Ranker, rows: pa.Table, expected: Scores) -> None:
    features = rows.select(ranker.signature.schema.feature_columns)
    assert_scores(ranker.score(features), expected)


def test_order_of_columns_does_not_matter(ranker: Ranker, rows: pa.Table, expected: Scores) -> None:
    assert_scores(ranker.score(rows.select(rows.column_names[::-1])), expected)


def test_signature_is_read_from_the_server(ranker: Ranker) -> None:
    assert ranker.signature.schema.name == "toy"
    assert list(ranker.signature.outputs) == TASKS
    assert ranker.version == "1"


def test_threads_share_one_ranker(ranker: Ranker, rows: pa.Table, expected: Scores) -> None:
    starts = [step * 7 % 230 for step in range(60)]
    with ThreadPoolExecutor(8) as pool:
        scored = list(pool.map(lambda start: ranker.score(rows[start : start + 70]), starts))
    for start, scores in zip(starts, scored, strict=True):
        assert len(scores) == 70
        assert_scores(scores, expected, start)


def test_model_without_signature_is_refused(url: str) -> None:
    with pytest.raises(
        RequestError, match=r"^unsigned at .*:\d+ has no Polyrank signature; publish it with: polyrank p"
    ):
        Ranker(url, "unsigned")


def test_model_must_be_named_where_two_are_served(url: str) -> None:
    with pytest.raises(
        ServerUnavailableError, match=r"^.*:\d+ serves 2 models \(toy, unsigned\); name one: Ranker\(url,"
    ):
        Ranker(url)


def test_unknown_model_is_refused_with_its_name(url: str) -> None:
    with pytest.raises(
        ServerUnavailableError, match=r"^nobody at .*: the server does not serve this model: .*'nobody'"
    ):
        Ranker(url, "nobody")


def test_port_tells_which_protocol_it_speaks(server: Server) -> None:
    for address in (server.url.removeprefix("http://"), server.grpc_url):
        with Ranker(address, "toy") as client:
            assert client.version == "1"


@pytest.mark.parametrize(
    ("scheme", "message"), [("grpc", "no server answers"), ("http", "another protocol is spoken there")]
)
def test_port_of_the_other_protocol_is_told(server: Server, scheme: str, message: str) -> None:
    address = {"grpc": server.url.removeprefix("http://"), "http": server.grpc_url}[scheme]
    with pytest.raises(ServerUnavailableError, match=rf"^toy at .*: {message}"):
        Ranker(f"{scheme}://{address}", "toy", timeout_s=5.0)


def test_call_ends_at_its_deadline(url: str, server: Server, rows: pa.Table) -> None:
    with Ranker(url, "toy", timeout_s=1.0) as client, frozen(server.pid):
        start = time.monotonic()
        with pytest.raises(
            DeadlineExceededError, match=r"^toy version 1 at .*: deadline of 1 s passed; raise timeout_s or l"
        ):
            client.score(rows)
        assert 0.9 < time.monotonic() - start < 3.0


def test_ranker_goes_on_after_a_deadline(url: str, server: Server, rows: pa.Table, expected: Scores) -> None:
    with Ranker(url, "toy", timeout_s=1.0) as client:
        with frozen(server.pid), pytest.raises(DeadlineExceededError):
            client.score(rows)
        assert_scores(client.score(rows[:10]), expected)


REFUSED: dict[str, tuple[Callable[[pa.Table], Any], str]] = {
    "no row": (lambda rows: rows[:0], "rows must hold at least one row, got none"),
    "no dict": (lambda _: [], "rows must hold at least one row, got none"),
    "no table": (lambda _: 7, "rows must be a pyarrow table, a pandas or polars frame or a list of dicts, got int"),
    "a column is missing": (lambda rows: rows.drop_columns(["item_id"]), "column 'item_id' is missing"),
    "a column is misspelt": (
        lambda rows: rows.rename_columns({"item_id": "itemid"}),
        "column 'item_id' is missing; did you mean 'itemid'?",
    ),
    "text for a number": (lambda rows: [{**rows.to_pylist()[0], "score": "high"}], "column 'score' holds "),
    "a fraction for an id": (lambda rows: [{**rows.to_pylist()[0], "user_id": 12.5}], "column 'user_id' holds 12.5"),
    "a value for a list": (lambda rows: [{**rows.to_pylist()[0], "tags": 3}], "column 'tags' holds int64; a bag takes"),
    "minus one under log1p": (
        lambda rows: [{**rows.to_pylist()[0], "plays": -1}],
        "column 'plays' holds -1.0 at row 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_rows_are_refused_in_one_line(ranker: Ranker, rows: pa.Table, case: str) -> None:
    change, message = REFUSED[case]
    with pytest.raises(DataError) as caught:
        ranker.score(change(rows))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_verb_scores_a_file(
    server: Server, served: Path, expected: Scores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "scored.parquet"
    code = main(["score", server.grpc_url, str(served / "rows.parquet"), "--out", str(out), "--model", "toy"])
    assert (code, capsys.readouterr().out) == (0, f"{out}: 300 rows scored by toy version 1\n")
    assert_scores(pyarrow.parquet.read_table(out), expected)
    assert [path.name for path in out.parent.iterdir()] == ["scored.parquet"]


@pytest.fixture
def inbox(served: Path, tmp_path: Path) -> Path:
    """A folder with rows to score and files that are none."""
    shutil.copy(served / "rows.parquet", tmp_path)
    (tmp_path / "text.parquet").write_text("not Parquet")
    pyarrow.parquet.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("rows_file", "out", "message"),
    [
        ("none.parquet", "out.parquet", r"polyrank: .*/none\.parquet does not exist; give a file, a directory of "),
        ("text.parquet", "out.parquet", r"polyrank: .*/text\.parquet cannot be read as Parquet: "),
        ("other.parquet", "out.parquet", r"polyrank: .*/other\.parquet: column 'user_id' is missing "),
        ("rows.parquet", "text.parquet/out.parquet", r"polyrank: cannot write .*/text\.parquet/out\.parquet: "),
        ("rows.parquet", ".", r"polyrank: cannot write "),
    ],
)
def test_verb_reports_what_is_wrong_in_one_line(
    server: Server, inbox: Path, capsys: pytest.CaptureFixture[str], rows_file: str, out: str, message: str
) -> None:
    before = sorted(inbox.iterdir())
    code = main(["score", server.grpc_url, str(inbox / rows_file), "--out", str(inbox / out), "--model", "toy"])
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (1, "", 1)
    assert re.match(message, captured.err)
    assert sorted(inbox.iterdir()) == before


@pytest.mark.parametrize("arguments", [[], ["localhost:8001"], ["localhost:8001", "rows.parquet"]])
def test_wrong_usage_of_the_verb_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["score", *arguments])
    assert caught.value.code == 2
    assert "usage: polyrank score" in capsys.readouterr().err


@pytest.fixture
def swapped(served: Path, tmp_path: Path) -> Path:
    """A repository with version 1 of the model `swap` alone."""
    return Path(shutil.copytree(served / "swap" / "1", tmp_path / "models"))


def which(scores: pa.Table, states: dict[str, Scores]) -> list[str]:
    """Return the versions whose scores these are, whole."""
    return [
        version
        for version, expected in states.items()
        if all(np.allclose(scores[name].to_numpy(), values, rtol=1e-5, atol=1e-5) for name, values in expected.items())
    ]


def swap_in(server: Server, served: Path, repository: Path, version: str) -> None:
    """Put another state of the model in place, and have the running server load it."""
    shutil.copytree(served / "swap" / version / "swap", repository.parent / "next")
    (repository / "swap").rename(repository.parent / f"before {time.monotonic_ns()}")
    (repository.parent / "next").rename(repository / "swap")
    with grpc.InferenceServerClient(server.grpc_url) as client:
        client.load_model("swap", headers=server.control_headers)


def test_only_model_is_found_by_itself(swapped: Path, served: Path) -> None:
    with serve(swapped) as server, Ranker(server.url) as client:
        assert client.model == "swap"
        assert which(client.score(swap_rows()), {"1": load_scores(served / "swap" / "1.npz")}) == ["1"]


def test_swap_to_another_schema_mixes_no_versions(swapped: Path, served: Path) -> None:
    """Both versions take tensors of one shape, so only the version number tells that a slot means another feature."""
    states = {version: load_scores(served / "swap" / f"{version}.npz") for version in ("1", "2")}
    rows, seen, failures, over = swap_rows(), [], [], threading.Event()

    def ask(client: Ranker) -> None:
        while not over.is_set():
            try:
                seen.append(which(client.score(rows), states))
            except PolyrankError as err:
                failures.append(err)

    with serve(swapped) as server, contextlib.ExitStack() as stack:
        shared = stack.enter_context(Ranker(server.url))
        own = stack.enter_context(Ranker(f"grpc://{server.grpc_url}"))
        threads = [threading.Thread(target=ask, args=(client,)) for client in (shared, shared, own)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.5)
            swap_in(server, served, swapped, "2")
            time.sleep(0.5)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert shared.version == "2"
        assert shared.signature.slots[0].feature == "right"
    assert failures == []
    assert {tuple(versions) for versions in seen} == {("1",), ("2",)}
    assert len(seen) > 50


def test_idle_ranker_notices_a_swap_at_its_next_call(swapped: Path, served: Path) -> None:
    with serve(swapped) as server, Ranker(server.url) as client:
        client.score(swap_rows())
        swap_in(server, served, swapped, "2")
        assert which(client.score(swap_rows()), {"2": load_scores(served / "swap" / "2.npz")}) == ["2"]
        assert client.version == "2"


@pytest.mark.slow
def test_stopped_server_is_told_at_the_next_call(swapped: Path) -> None:
    with serve(swapped) as server:
        client = Ranker(server.url)
        client.score(swap_rows())
    start = time.monotonic()
    with (
        client,
        pytest.raises(ServerUnavailableError, match=r"^swap version 1 at .*: no server answers after 30 attempts; "),
    ):
        client.score(swap_rows())
    assert time.monotonic() - start < 10.0


def test_server_killed_in_flight_is_an_error_and_no_hang(swapped: Path) -> None:
    outcomes: list[PolyrankError] = []

    def ask(client: Ranker) -> None:
        try:
            while True:
                client.score(swap_rows())
        except PolyrankError as err:
            outcomes.append(err)

    with serve(swapped) as server, Ranker(server.url, options=ClientOptions(attempts=5)) as client:
        threads = [threading.Thread(target=ask, args=(client,), daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        os.kill(server.pid, signal.SIGKILL)
        for thread in threads:
            thread.join(timeout=20.0)
        assert not any(thread.is_alive() for thread in threads)
    assert [type(error) for error in outcomes] == [ServerUnavailableError] * 4
