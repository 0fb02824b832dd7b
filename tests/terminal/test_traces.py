"""Where traces go, and what happens when they do not get there."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from asr.actors.trail import Stage, Trail, untold
from asr.terminal.traces import ENDPOINT, Traces, TraceSettings, exporter, open_traces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class Kept(SpanExporter):
    """Keeps what it is given; ``free`` not set, it takes for ever."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.free = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.free.wait()
        self.spans += spans
        return SpanExportResult.SUCCESS


def trail(status: int = 200) -> Trail:
    """A request of two seconds, which began when the clock showed 100 and the world's 5 s."""
    return Trail(
        "a",
        began_s=100.0,
        began_ns=5_000_000_000,
        ended_s=102.0,
        stages={"read": Stage(100.5, 101.0, 0.25)},
        facts={"request_id": "a", "method": "POST", "endpoint": "/asr", "status": status},
    )


@pytest.mark.parametrize(("status", "code"), [(200, StatusCode.UNSET), (503, StatusCode.ERROR)])
def test_a_trail_becomes_a_span_and_one_of_each_stage_at_its_time(
    status: int, code: StatusCode
) -> None:
    kept = Kept()
    kept.free.set()
    traces = Traces(kept)
    traces.tell(trail(status))
    traces.close(within_s=5)
    stage, root = kept.spans
    assert (root.name, root.parent, root.status.status_code) == ("POST /asr", None, code)
    assert (root.start_time, root.end_time) == (5_000_000_000, 7_000_000_000)
    assert (stage.name, stage.parent) == ("read", root.context)
    assert (stage.start_time, stage.end_time) == (5_500_000_000, 6_000_000_000)
    assert dict(stage.attributes or {}) == {"asr.busy_s": 0.25, "asr.whole": True}
    assert dict(root.attributes or {}) == {
        "asr.request_id": "a",
        "http.request.method": "POST",
        "http.route": "/asr",
        "http.response.status_code": status,
    }


def test_a_collector_that_hangs_keeps_nobody_waiting() -> None:
    kept = Kept()
    traces = Traces(kept)
    for _ in range(10_000):  # more than are kept
        traces.tell(trail())
    traces.close(within_s=0.01)
    kept.free.set()


def test_without_an_address_nobody_is_told() -> None:
    with open_traces(TraceSettings()) as told:
        assert told is untold


@pytest.mark.parametrize("text", ["127.0.0.1:4318", "ftp://x", "http://", "https:///path"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"{ENDPOINT} must be an address"):
        TraceSettings(text)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ValueError, match="needs the extra otel: uv sync --extra otel"):
        exporter(TraceSettings("http://127.0.0.1:4318"))
