"""`polyrank loadtest` against the real Triton."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from artefacts.processes import frozen

from polyrank.__main__ import main
from polyrank.errors import ConfigError, DeadlineExceededError
from polyrank.reporting.records import LoadTest
from polyrank.serving import Server, serve
from polyrank.serving.load_target import LoadOptions, LoadTarget, load_target
from polyrank.serving.loadtest import Load, highest_rate, measure

OPTIONS = LoadOptions(rows=10, seconds=1.0, warm_up_s=0.0, timeout_s=0.5)

pytestmark = pytest.mark.triton


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[Server]:
    with serve(served / "repository") as running:
        yield running


@pytest.fixture(scope="module")
def target(server: Server, served: Path) -> LoadTarget:
    rows = pq.read_table(served / "rows.parquet")
    return load_target(server.url, "toy", rows, LoadOptions(rows=10))


def test_every_arrival_is_answered_and_timed(target: LoadTarget) -> None:
    load = measure(target, 40.0, LoadOptions(rows=10, seconds=2.0, warm_up_s=0.2))
    assert (load.errors, load.versions, load.holds) == ({}, ("1",), True)
    assert 40 < load.requests < 130
    assert 0 < load.p50_ms <= load.p90_ms <= load.p99_ms <= load.p999_ms <= load.max_ms


def test_same_seed_means_same_arrivals(target: LoadTarget) -> None:
    options = LoadOptions(rows=10, seconds=0.5, warm_up_s=0.0, seed=7)
    assert measure(target, 50.0, options).requests == measure(target, 50.0, options).requests


def test_server_that_stands_still_counts_from_arrival(server: Server, target: LoadTarget) -> None:
    """A client that waits for each answer would see one slow request; here all that arrive meanwhile are."""

    def freeze() -> None:
        time.sleep(0.7)
        with frozen(server.pid):
            time.sleep(1.0)

    thread = threading.Thread(target=freeze)
    thread.start()
    load = measure(target, 50.0, LoadOptions(rows=10, seconds=2.5, warm_up_s=0.0))
    thread.join()
    assert load.errors == {}
    assert load.p90_ms > 300.0
    assert load.max_ms > 700.0


def test_request_without_an_answer_is_an_error(server: Server, target: LoadTarget) -> None:
    with frozen(server.pid):
        with pytest.raises(DeadlineExceededError, match=r"^server at .*: deadline of 0\.5 s passed"):
            measure(replace(target, url=target.url.removeprefix("http://")), 20.0, OPTIONS)
        load = measure(target, 20.0, OPTIONS)
    assert load.errors == {"no answer in time": load.requests}
    assert not load.holds


def _load(rate: float, slow_ms: float) -> Load:
    return Load(
        rate=rate,
        requests=int(rate),
        seconds=1.0,
        answered=rate,
        errors={},
        p50_ms=1.0,
        p90_ms=2.0,
        p99_ms=slow_ms,
        p999_ms=slow_ms,
        max_ms=slow_ms,
        versions=("1",),
    )


def test_search_ends_between_a_rate_that_holds_and_one_that_fails(
    target: LoadTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invented(_target: LoadTarget, rate: float, _options: LoadOptions) -> Load:
        return _load(rate, 30.0 if rate > 730 else 3.0)

    monkeypatch.setattr("polyrank.serving.loadtest.measure", invented)
    rate, loads = highest_rate(target, 10.0, LoadOptions(), lambda _load: None)
    assert 730 / 1.05 < rate <= 730
    assert [load.rate for load in loads[:5]] == [50.0, 100.0, 200.0, 400.0, 800.0]


def test_slow_answers_at_the_lowest_rates_do_not_end_the_search(
    target: LoadTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invented(_target: LoadTarget, rate: float, _options: LoadOptions) -> Load:
        return _load(rate, 3.0 if 150 < rate <= 730 else 20.0)

    monkeypatch.setattr("polyrank.serving.loadtest.measure", invented)
    rate, loads = highest_rate(target, 10.0, LoadOptions(), lambda _load: None)
    assert 700 / 1.05 < rate <= 730
    assert [load.rate for load in loads[:3]] == [50.0, 100.0, 200.0]


def test_search_that_finds_nothing_says_so(target: LoadTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.serving.loadtest.measure", lambda _target, rate, _options: _load(rate, 20.0))
    rate, loads = highest_rate(target, 10.0, LoadOptions(), lambda _load: None)
    assert (rate, [load.rate for load in loads]) == (0.0, [50.0, 100.0, 200.0, 400.0, 800.0])


def test_busy_moment_does_not_end_the_search(target: LoadTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def invented(_target: LoadTarget, rate: float, _options: LoadOptions) -> Load:
        seen.append(rate)
        return _load(rate, 20.0 if rate > 730 or seen.count(rate) == 1 else 3.0)

    monkeypatch.setattr("polyrank.serving.loadtest.measure", invented)
    rate, _ = highest_rate(target, 10.0, LoadOptions(), lambda _load: None)
    assert 700 / 1.05 < rate <= 730


def test_verb_prints_a_table_and_draws(
    server: Server, served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "loadtest",
        server.grpc_url,
        str(served / "rows.parquet"),
        "--name",
        "toy",
        "--batch",
        "5",
        "--seconds",
        "1",
    ]
    picture = tmp_path / "load.svg"
    assert main([*command, "--rates", "20", "40", "--picture", str(picture)]) == 0
    head, _, columns, *lines = capsys.readouterr().out.splitlines()
    assert head == "toy version 1, 5 rows a request"
    assert columns.startswith("requests/s  answered/s  p50 ms")
    assert [line.split()[0] for line in lines] == ["20", "40"]
    assert "latency from arrival, ms" in picture.read_text() or "<svg" in picture.read_text()


def test_verb_prints_json(server: Server, served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["loadtest", server.grpc_url, str(served / "rows.parquet"), "--name", "toy", "--batch", "5", "--json"]
    assert main([*command, "--seconds", "0.5", "--rates", "20"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["version"], found["highest_rate"]) == ("toy", "1", None)
    assert found["loads"][0]["errors"] == {}
    assert found["loads"][0]["holds"] is True
    assert msgspec.convert(found, type=LoadTest).loads[0].rate == 20  # what a report reads


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rates", "0"], "--rates must be in (0, 100000] requests per second, got 0"),
        (["--rates", "5", "--batch", "65"], "--batch must be at most 64, the model's max_batch_size, got 65"),
    ],
)
def test_wrong_options_are_one_line(
    server: Server, served: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    rows = str(served / "rows.parquet")
    assert main(["loadtest", server.url, rows, "--name", "toy", "--batch", "5", *options]) == 1
    assert capsys.readouterr().err == f"polyrank: {message}\n"


@pytest.mark.parametrize("options", [[], ["--rates", "5", "--p99-ms", "10"]])
def test_rates_or_a_limit_must_be_given(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["loadtest", "localhost:1", "rows.parquet", *options])
    assert caught.value.code == 2
    assert "give either --rates, or --p99-ms to search for the highest" in capsys.readouterr().err


def test_fewer_rows_than_a_request_are_repeated(server: Server, served: Path) -> None:
    rows = pq.read_table(served / "rows.parquet")[:3]
    target = load_target(server.url, "toy", rows, LoadOptions(rows=8))
    assert [len(call.tensors["ids"]) for call in target.calls] == [8]


def test_options_refuse_a_deadline_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"^timeout_s must be above 0 and at most 1,000,000 seconds, got 0\.0$"):
        LoadOptions(timeout_s=0.0)
