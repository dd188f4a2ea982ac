"""What a client counts and traces, with OpenTelemetry and Prometheus where they are installed."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Any

from polyrank.errors import ConfigError, MissingExtraError

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclasses.dataclass(slots=True)
class Record:
    """What becomes known while a call runs: how many rows or items it has, and which version answers."""

    rows: int = 0
    version: str = ""


class Telemetry:
    """Counts nothing; the base of those that do."""

    def call(self, _verb: str, _model: str) -> contextlib.AbstractContextManager[Record]:
        """Surround one call of a user, which fills in the record."""
        return contextlib.nullcontext(Record())

    def retried(self, model: str, reason: str) -> None:
        """Note that a request is sent again."""

    def hedged(self, model: str) -> None:
        """Note that a request is sent a second time for want of an answer."""

    def impressions(self, outcome: str, rows: int) -> None:
        """Note rows of a log of impressions that were `written` or `dropped`."""

    def headers(self) -> Mapping[str, str]:
        """Return headers that tell a server which trace a request belongs to."""
        return {}


class Metrics(Telemetry):
    """Prometheus counters and a histogram, and OpenTelemetry spans where a tracer is set up.

    Counters are `polyrank_client_calls_total` by verb, model and outcome (`ok`, or the name of the error's class),
    `polyrank_client_rows_total`, `polyrank_client_retries_total` by model and reason, `polyrank_client_hedges_total`,
    and `polyrank_client_impressions_total` by outcome, `written` or `dropped`; the histogram is
    `polyrank_client_call_seconds`.

    Args:
        registry: of prometheus_client; None takes its default. One registry takes one `Metrics`, which clients may
            share.

    Raises:
        MissingExtraError: the extra `telemetry` is not installed.
        ConfigError: the registry has a `Metrics` already.
    """

    def __init__(self, registry: Any = None) -> None:
        try:
            import prometheus_client as prometheus
            from opentelemetry import propagate, trace
        except ImportError as err:
            raise MissingExtraError(
                "telemetry needs prometheus-client and opentelemetry-api; pip install 'polyrank[telemetry]'"
            ) from err
        into = prometheus.REGISTRY if registry is None else registry
        try:
            self._register(prometheus, into)
        except ValueError as err:
            raise ConfigError("registry has the metrics of another Metrics; share that one between clients") from err
        self._tracer = trace.get_tracer("polyrank.serving")
        self._inject = propagate.inject

    def _register(self, prometheus: Any, into: Any) -> None:
        prefix = "polyrank_client"
        self._calls = prometheus.Counter(f"{prefix}_calls", "Calls.", ("verb", "model", "outcome"), registry=into)
        self._rows = prometheus.Counter(f"{prefix}_rows", "Rows and items scored.", ("verb", "model"), registry=into)
        self._retries = prometheus.Counter(
            f"{prefix}_retries", "Requests sent again.", ("model", "reason"), registry=into
        )
        self._hedges = prometheus.Counter(f"{prefix}_hedges", "Requests sent a second time.", ("model",), registry=into)
        self._impressions = prometheus.Counter(
            f"{prefix}_impressions", "Items shown, logged or lost.", ("outcome",), registry=into
        )
        self._seconds = prometheus.Histogram(
            f"{prefix}_call_seconds", "Time of a call.", ("verb", "model"), buckets=_SECONDS, registry=into
        )

    @contextlib.contextmanager
    def call(self, verb: str, model: str) -> Iterator[Record]:
        """Count, time and trace one call."""
        start, outcome, record = time.perf_counter(), "ok", Record()
        with self._tracer.start_as_current_span(f"polyrank.{verb}", attributes={"polyrank.model": model}) as span:
            try:
                yield record
                self._rows.labels(verb, model).inc(record.rows)
                span.set_attributes({"polyrank.rows": record.rows, "polyrank.version": record.version})
            except Exception as err:
                outcome = type(err).__name__
                raise
            except BaseException:
                outcome = "cancelled"
                raise
            finally:
                self._calls.labels(verb, model, outcome).inc()
                self._seconds.labels(verb, model).observe(time.perf_counter() - start)

    def retried(self, model: str, reason: str) -> None:
        """Count a request that is sent again."""
        self._retries.labels(model, reason).inc()

    def hedged(self, model: str) -> None:
        """Count a request that is sent a second time."""
        self._hedges.labels(model).inc()

    def impressions(self, outcome: str, rows: int) -> None:
        """Count rows of a log of impressions."""
        self._impressions.labels(outcome).inc(rows)

    def headers(self) -> Mapping[str, str]:
        """Return `traceparent`, which Triton takes in its OpenTelemetry mode."""
        found: dict[str, str] = {}
        self._inject(found)
        return found
