"""What the operator's dashboards read: counters that the rooms push, gauges read at each scrape.

The ``whisperx_`` names are those of the services that this one replaces; ours begin with ``asr_``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import InfoMetricFamily
from prometheus_client.registry import Collector

from asr.pipeline.setting import MEGABYTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from asr.actors.gpu import Board
    from asr.actors.queue import QueueStats
    from asr.actors.receiver import ReceiverStats
    from asr.actors.trail import Trail

# Bucket bounds of the whisperx_ names are a contract. Ours go in steps of about 2 to 3.
REQUEST_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
AUDIO_S = (10, 30, 60, 300, 600, 1800, 3600, 7200, 14400)
AUDIO_MB = (1, 5, 10, 25, 50, 100, 250, 500, 1000)
STAGE_S = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256)
SPEEDS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)

# Codes of errors that cost no work, and say that a bound was reached.
REFUSALS = frozenset(
    {"busy", "shutting_down", "storage_full", "file_too_large", "audio_too_long", "invalid_api_key"}
)


class Metrics:
    """Every number that this house tells, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._make_contract()
        self._make_ours()
        self._make_ends()
        ProcessCollector(registry=self._registry)

    def _make_contract(self) -> None:
        registry = self._registry
        self._requests = Counter(
            "whisperx_requests", "Requests answered", ("endpoint", "status"), registry=registry
        )
        self._request_s = Histogram(
            "whisperx_request_duration_seconds",
            "Time from a request's head to the end of its answer",
            ("endpoint",),
            buckets=REQUEST_S,
            registry=registry,
        )
        self._active = Gauge(
            "whisperx_active_transcriptions", "Requests being worked on", registry=registry
        )
        self._models = Gauge("whisperx_loaded_models", "Models in memory", registry=registry)
        self._evictions = Counter(
            "whisperx_model_evictions", "Models freed", ("model",), registry=registry
        )
        self._audio_s = Histogram(
            "whisperx_audio_duration_seconds",
            "Length of the audio of each request",
            buckets=AUDIO_S,
            registry=registry,
        )
        self._audio_mb = Histogram(
            "whisperx_audio_size_megabytes",
            "Size of each upload in MB",
            buckets=AUDIO_MB,
            registry=registry,
        )
        self._info = _Info()
        registry.register(self._info)
        self._memory = Gauge(
            "whisperx_vram_allocated_bytes", "Array memory in use", registry=registry
        )
        self._cache = Gauge(
            "whisperx_vram_cache_bytes", "Array memory kept for reuse", registry=registry
        )

    def _make_ours(self) -> None:
        registry = self._registry
        self._waiting = Gauge("asr_queue_depth", "Requests that wait", registry=registry)
        self._waiting_max = Gauge("asr_queue_depth_max", "Those that may wait", registry=registry)
        self._active_max = Gauge("asr_running_max", "Requests worked on at once", registry=registry)
        self._wait_s = Histogram(
            "asr_queue_wait_seconds",
            "Time from acceptance to the first work",
            buckets=STAGE_S,
            registry=registry,
        )
        self._stage_s = Histogram(
            "asr_stage_seconds",
            "Time of each stage of a request",
            ("stage",),
            buckets=STAGE_S,
            registry=registry,
        )
        self._batch_rows = Histogram(
            "asr_batch_rows", "Windows decoded together", buckets=BATCH_ROWS, registry=registry
        )
        self._windows = Gauge(
            "asr_windows_waiting", "Windows that wait for the batch", registry=registry
        )
        self._rows = Gauge("asr_rows", "Windows in the batch now", registry=registry)
        self._tokens_per_s = Gauge(
            "asr_tokens_per_second",
            "Text tokens a second, over the last 5 s that the engine was at work; 0 when idle",
            registry=registry,
        )
        self._busy_s = Counter(
            "asr_engine_busy_seconds", "Time that the engine was at work", registry=registry
        )
        self._tokens = Counter("asr_tokens", "Text tokens decoded", registry=registry)
        self._done_s = Counter(
            "asr_audio_done_seconds",
            "Seconds of audio decoded, window by window",
            registry=registry,
        )
        self._restarts = Counter(
            "asr_restarts", "Actors restarted after a crash", ("actor",), registry=registry
        )
        self._up = Gauge(
            "asr_actor_up",
            "1 while an actor is at work, 0 before it is started again, or down for good",
            ("actor",),
            registry=registry,
        )
        self._uploads = Gauge("asr_uploads", "Uploads in flight", registry=registry)
        self._upload_bytes = Gauge(
            "asr_upload_bytes", "Spooled bytes of uploads in flight", registry=registry
        )
        self._connections = Gauge("asr_connections", "Open connections", registry=registry)
        self._downloads = Gauge(
            "asr_downloads", "Models being fetched", ("kind",), registry=registry
        )

    def _make_ends(self) -> None:
        registry = self._registry
        self._errors = Counter(
            "asr_errors", "Errors answered, by the code in the answer", ("code",), registry=registry
        )
        self._refused = Counter(
            "asr_refused",
            "Requests refused before any work, because of a bound",
            ("reason",),
            registry=registry,
        )
        for reason in sorted(REFUSALS):  # from 0 on: a rate does not see what begins with 1
            self._refused.labels(reason)
        self._abandoned = Counter(
            "asr_abandoned",
            "Requests whose client left before it had the answer, by where they were",
            ("stage",),
            registry=registry,
        )
        self._step_s = Histogram(
            "asr_step_seconds",
            "Time of each call in an actor's thread",
            ("actor",),
            buckets=STAGE_S,
            registry=registry,
        )
        self._speed = Histogram(
            "asr_speed_ratio",
            "Seconds of audio done in a second of work",
            buckets=SPEEDS,
            registry=registry,
        )

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """A request has ended, however it ended."""
        self._requests.labels(endpoint, str(status)).inc()
        self._request_s.labels(endpoint).observe(seconds)

    def audio(self, seconds: float, size_bytes: int) -> None:
        """A request's audio has been decoded."""
        self._audio_s.observe(seconds)
        self._audio_mb.observe(size_bytes / MEGABYTE)

    def speed(self, audio_s: float, work_s: float) -> None:
        """A transcript is done; ``work_s`` leaves out what the request waited in the queue."""
        if work_s > 0:
            self._speed.observe(audio_s / work_s)

    def queue_wait(self, seconds: float) -> None:
        """A request's turn has come."""
        self._wait_s.observe(seconds)

    def walked(self, trail: Trail) -> None:
        """A request has ended: what it went through, as far as it came to its end."""
        if len(trail.stages) > 1:  # else it was a look at something, and all that it did was answer
            for name, stage in trail.stages.items():
                if stage.whole:
                    self._stage_s.labels(name).observe(stage.busy_s)
        if code := trail.facts.get("error"):
            self._errors.labels(code).inc()
            if code in REFUSALS:
                self._refused.labels(code).inc()

    def abandoned(self, stage: str) -> None:
        """A client has left its request in that stage."""
        self._abandoned.labels(stage).inc()

    def step(self, actor: str, seconds: float) -> None:
        """An actor's thread was at work for so long."""
        self._step_s.labels(actor).observe(seconds)

    def batch(self, rows: int) -> None:
        """A batch goes to the engine."""
        self._batch_rows.observe(rows)

    def engine_busy(self, seconds: float) -> None:
        """The engine was at work for so long."""
        self._busy_s.inc(seconds)

    def tokens(self, count: int) -> None:
        """Text has been decoded."""
        self._tokens.inc(count)

    def decoded(self, seconds: float) -> None:
        """So much of somebody's audio is text."""
        self._done_s.inc(seconds)

    def evicted(self, model: str) -> None:
        """A model's weights have been freed."""
        self._evictions.labels(model).inc()

    def restarted(self, actor: str, /) -> None:
        """An actor crashed and runs again."""
        self._restarts.labels(actor).inc()

    def up(self, actor: str, up: bool, /) -> None:
        """An actor is at work from here on, or not."""
        self._up.labels(actor).set(up)
        self._restarts.labels(actor)  # from 0 on

    def describe(self, read: Callable[[], Mapping[str, str]]) -> None:
        """Say what is running, as labels that are read at each scrape."""
        self._info.read = read

    def watch(self, name: str, help: str, read: Callable[[], float]) -> None:
        """Read a number that somebody else keeps, at each scrape."""
        Gauge(name, help, registry=self._registry).set_function(read)

    def watch_downloads(self, kind: str, count: Callable[[], int]) -> None:
        """Read at each scrape how many models of a kind are being fetched."""
        self._downloads.labels(kind).set_function(count)

    def watch_queue(self, stats: Callable[[], QueueStats]) -> None:
        """Read the queue at each scrape."""
        self._active.set_function(lambda: stats().running)
        self._active_max.set_function(lambda: stats().running_max)
        self._waiting.set_function(lambda: stats().waiting)
        self._waiting_max.set_function(lambda: stats().waiting_max)

    def watch_gpu(self, board: Board) -> None:
        """Read what the GPU actor shows at each scrape."""
        self._models.set_function(lambda: len(board.loaded))
        self._memory.set_function(lambda: board.memory.active)
        self._cache.set_function(lambda: board.memory.cached)
        self._windows.set_function(lambda: board.waiting)
        self._rows.set_function(lambda: board.running)
        self._tokens_per_s.set_function(lambda: board.tokens_per_s)

    def watch_loaded(self, count: Callable[[], int]) -> None:
        """Read at each scrape how many models are in memory."""
        self._models.set_function(count)

    def watch_connections(self, count: Callable[[], int]) -> None:
        """Read at each scrape how many clients are connected."""
        self._connections.set_function(count)

    def watch_uploads(self, stats: Callable[[], ReceiverStats]) -> None:
        """Read the spool at each scrape."""
        self._uploads.set_function(lambda: stats().uploads)
        self._upload_bytes.set_function(lambda: stats().bytes)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All of it as text, in the flavour that the scraper accepts, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Info(Collector):
    """What is running, as labels: on a front, workers come and go."""

    read: Callable[[], Mapping[str, str]] = dict

    def collect(self) -> Iterator[InfoMetricFamily]:
        yield InfoMetricFamily("whisperx_service", "What is running", dict(self.read()))
