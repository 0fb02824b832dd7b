"""Traces, where the operator has a collector for them: a span a request, and one a stage in it.

They are made of the trails of requests that are over, so a request waits for nothing here. They
are sent from a thread of its own; what a collector does not take in time is dropped.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from asr.actors.trail import untold
from asr.pipeline.setting import setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.sdk.trace.export import SpanExporter

    from asr.actors.trail import Fact, Trail

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

SPANS_MAX = 2048  # that wait to be sent; past that the newest push the oldest out
EXPORT_S = 5.0  # what the collector may take for a batch
FLUSH_S = 3.0  # what the last ones may take when the server ends

# The names of OpenTelemetry's conventions; all other facts are ours.
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "method": "http.request.method",
        "path": "url.path",
        "endpoint": "http.route",
        "status": "http.response.status_code",
        "error": "error.type",
        "bytes_received": "http.request.body.size",
        "bytes_sent": "http.response.body.size",
    }
)
INTERNAL_ERROR = 500


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where traces are sent."""

    endpoint: str = setting(
        ENDPOINT,
        "",
        "a collector such as http://127.0.0.1:4318 that gets a trace of each request, by OTLP over "
        "HTTP; needs the extra otel",
    )

    def __post_init__(self) -> None:
        """ValueError for what is no address."""
        parts = urlsplit(self.endpoint)
        if self.endpoint and not (parts.scheme in ("http", "https") and parts.hostname):
            raise ValueError(f"{ENDPOINT} must be an address that begins with http:// or https://")


@contextmanager
def open_traces(settings: TraceSettings) -> Iterator[Callable[[Trail], None]]:
    """Whom to tell of requests that are over; at the end, what was told is sent, for a while.

    Raises ValueError where the libraries for that are not installed.
    """
    if not settings.endpoint:
        yield untold
        return
    traces = Traces(exporter(settings))
    try:
        yield traces.tell
    finally:
        traces.close(within_s=FLUSH_S)


def exporter(settings: TraceSettings) -> SpanExporter:
    """What sends spans to the collector. Raises ValueError where it is not installed."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise ValueError(
            f"{ENDPOINT} needs the extra otel: uv sync --extra otel, or pip install "
            "'asr-service[otel]'"
        ) from None
    address = f"{settings.endpoint.rstrip('/')}/v1/traces"
    return OTLPSpanExporter(endpoint=address, timeout=EXPORT_S)


class Traces:
    """Makes spans of trails, and has them sent."""

    def __init__(self, spans: SpanExporter) -> None:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        ours = {"service.name": "asr-service", "service.version": version("asr-service")}
        resource = Resource(ours).merge(OTELResourceDetector().detect())
        self._sender = BatchSpanProcessor(spans, max_queue_size=SPANS_MAX)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self._sender)
        self._tracer = provider.get_tracer("asr")

    def tell(self, trail: Trail) -> None:
        """A request is over."""
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        def at_ns(at_s: float) -> int:
            return trail.began_ns + round((at_s - trail.began_s) * 1e9)

        root = self._tracer.start_span(
            f"{trail.facts['method']} {trail.facts['endpoint']}",
            TraceContextTextMapPropagator().extract({"traceparent": trail.parent}),
            SpanKind.SERVER,
            attributes=attributes(trail.facts),
            start_time=at_ns(trail.began_s),
        )
        if int(trail.facts["status"]) >= INTERNAL_ERROR:
            root.set_status(Status(StatusCode.ERROR))
        inside = set_span_in_context(root)
        for name, stage in trail.stages.items():
            span = self._tracer.start_span(
                name,
                inside,
                attributes={"asr.busy_s": stage.busy_s, "asr.whole": stage.whole},
                start_time=at_ns(stage.began_s),
            )
            span.end(at_ns(stage.ended_s))
        root.end(at_ns(trail.ended_s))

    def close(self, *, within_s: float) -> None:
        """Send what waits, and wait for that so long: beside, as it knows no bound of its own."""
        flush = threading.Thread(target=self._sender.shutdown, daemon=True)
        flush.start()
        flush.join(within_s)


def attributes(facts: Mapping[str, Fact]) -> Mapping[str, Fact]:
    """What is known of a request, by the names under which collectors look for it."""
    return {NAMES.get(name, f"asr.{name}"): value for name, value in facts.items()}
