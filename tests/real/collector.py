"""A collector of traces, as far as a test needs one: it keeps what it is sent."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What came, span by span, and from whom."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for traces in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {each.key: each.value.string_value for each in traces.resource.attributes}
            self.services.add(names["service.name"])
            for scope in traces.scope_spans:
                self.spans += scope.spans

    def of(self, request_id: str) -> tuple[Span, dict[str, Span]]:
        """The span of a request, and those of its stages."""
        (root,) = (span for span in self.spans if said(span).get("asr.request_id") == request_id)
        inside = {span.name: span for span in self.spans if span.parent_span_id == root.span_id}
        return root, inside


def said(span: Span) -> dict[str, object]:
    """The attributes of a span."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value")
        for each in span.attributes
    }


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""
    collector = Collector()

    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:
            """Not on our stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Post) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
