"""What is counted and traced, and that servers learn which trace a request belongs to."""

import asyncio
import sys
from collections.abc import Iterator

import pytest
from artefacts.asking import ROWS
from artefacts.fake_triton import FakeTriton
from artefacts.scripted_http import Answer, ScriptedHttp, refusal, scores
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from polyrank.errors import ConfigError, DataError, MissingExtraError, RequestError
from polyrank.serving import AsyncRanker, ClientOptions, Metrics, Ranker

LABELS = {"verb": "score", "model": "fake"}


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Where spans of the whole process go: OpenTelemetry takes one provider."""
    provider, kept = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    return kept


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry, spans: InMemorySpanExporter) -> Metrics:
    del spans  # the provider is set before a tracer is asked for
    return Metrics(registry)


def test_calls_rows_and_seconds_are_counted(metrics: Metrics, registry: CollectorRegistry) -> None:
    with ScriptedHttp().listening() as url, Ranker(url, "fake", telemetry=metrics) as ranker:
        ranker.score(ROWS)
        ranker.score(ROWS * 4)
    assert registry.get_sample_value("polyrank_client_calls_total", {**LABELS, "outcome": "ok"}) == 2
    assert registry.get_sample_value("polyrank_client_rows_total", LABELS) == 15
    assert registry.get_sample_value("polyrank_client_call_seconds_count", LABELS) == 2
    assert 0.0 < (registry.get_sample_value("polyrank_client_call_seconds_sum", LABELS) or 0.0) < 2.0


def test_errors_are_counted_by_their_class(metrics: Metrics, registry: CollectorRegistry) -> None:
    server = ScriptedHttp(infer=lambda _request: refusal("400 Bad Request", "wrong"))
    with server.listening() as url, Ranker(url, "fake", telemetry=metrics) as ranker:
        with pytest.raises(RequestError, match="request refused: wrong"):
            ranker.score(ROWS)
        with pytest.raises(DataError, match="column 'item' is missing"):
            ranker.score([{"x": 1}])
    for outcome in ("RequestError", "DataError"):
        assert registry.get_sample_value("polyrank_client_calls_total", {**LABELS, "outcome": outcome}) == 1
    assert registry.get_sample_value("polyrank_client_rows_total", LABELS) is None


def test_cancelled_call_is_counted_as_such(metrics: Metrics, registry: CollectorRegistry) -> None:
    async def ask(url: str) -> None:
        async with AsyncRanker(url, "fake", telemetry=metrics) as ranker:
            task = asyncio.create_task(ranker.score(ROWS))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with ScriptedHttp(infer=lambda _request: Answer(delay_s=1.0)).listening() as url:
        asyncio.run(ask(url))
    assert registry.get_sample_value("polyrank_client_calls_total", {**LABELS, "outcome": "cancelled"}) == 1


def test_attempts_are_counted_by_reason(metrics: Metrics, registry: CollectorRegistry) -> None:
    server = ScriptedHttp(infer=lambda request: refusal("503 Busy") if request.number < 2 else None)
    options = ClientOptions(backoff_s=0.001)
    with server.listening() as url, Ranker(url, "fake", options=options, telemetry=metrics) as ranker:
        ranker.score(ROWS)
    assert registry.get_sample_value("polyrank_client_retries_total", {"model": "fake", "reason": "busy"}) == 2


def test_hedges_are_counted(metrics: Metrics, registry: CollectorRegistry) -> None:
    server = ScriptedHttp(infer=lambda request: Answer([scores(3)], delay_s=0.2) if request.number == 0 else None)
    options = ClientOptions(hedge_after_s=0.03)
    with server.listening() as url, Ranker(url, "fake", options=options, telemetry=metrics) as ranker:
        ranker.score(ROWS)
    assert registry.get_sample_value("polyrank_client_hedges_total", {"model": "fake"}) == 1


def test_span_says_model_version_and_rows(metrics: Metrics, spans: InMemorySpanExporter) -> None:
    with ScriptedHttp(version="7").listening() as url, Ranker(url, "fake", telemetry=metrics) as ranker:
        ranker.score(ROWS)
    (span,) = spans.get_finished_spans()
    assert span.name == "polyrank.score"
    assert dict(span.attributes or {}) == {"polyrank.model": "fake", "polyrank.rows": 3, "polyrank.version": "7"}


def test_span_of_an_error_has_it(metrics: Metrics, spans: InMemorySpanExporter) -> None:
    server = ScriptedHttp(infer=lambda _request: refusal("400 Bad Request", "wrong"))
    with (
        server.listening() as url,
        Ranker(url, "fake", telemetry=metrics) as ranker,
        pytest.raises(RequestError, match="wrong"),
    ):
        ranker.score(ROWS)
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "request refused: wrong" in str(span.status.description)


def trace_of(parent: str) -> int:
    """Read the trace's number in a `traceparent`."""
    return int(parent.split("-")[1], 16)


def test_trace_arrives_over_http(metrics: Metrics, spans: InMemorySpanExporter) -> None:
    server = ScriptedHttp()
    with server.listening() as url, Ranker(url, "fake", telemetry=metrics) as ranker:
        ranker.score(ROWS * 4)
    (span,) = spans.get_finished_spans()
    context = span.get_span_context()
    assert context is not None
    assert {trace_of(request.headers["traceparent"]) for request in server.inferences} == {context.trace_id}


def test_trace_arrives_over_grpc(metrics: Metrics, spans: InMemorySpanExporter) -> None:
    fake = FakeTriton()
    with fake.listening() as url, Ranker(f"grpc://{url}", "fake", telemetry=metrics) as ranker:
        ranker.score(ROWS)
    (span,) = spans.get_finished_spans()
    context = span.get_span_context()
    assert context is not None
    assert trace_of(fake.metadata[-1]["traceparent"]) == context.trace_id


def test_registry_takes_one_set_of_metrics(registry: CollectorRegistry) -> None:
    Metrics(registry)
    with pytest.raises(ConfigError, match=r"^registry has the metrics of another Metrics; share that one between cli"):
        Metrics(registry)


@pytest.mark.parametrize("missing", ["prometheus_client", "opentelemetry"])
def test_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError) as caught:
        Metrics()
    assert str(caught.value) == (
        "telemetry needs prometheus-client and opentelemetry-api; pip install 'polyrank[telemetry]'"
    )
