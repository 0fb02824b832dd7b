"""The numbers of /metrics: the contract's names are there, and gauges are read at each scrape."""

from __future__ import annotations

from asr.actors.gpu import Board
from asr.actors.metrics import Metrics
from asr.actors.queue import QueueStats
from asr.actors.receiver import ReceiverStats
from asr.actors.trail import Stage, Trail
from asr.pipeline.engine import LoadedModel, Memory

CONTRACT = {
    "whisperx_requests": "counter",
    "whisperx_request_duration_seconds": "histogram",
    "whisperx_active_transcriptions": "gauge",
    "whisperx_loaded_models": "gauge",
    "whisperx_model_evictions": "counter",
    "whisperx_audio_duration_seconds": "histogram",
    "whisperx_audio_size_megabytes": "histogram",
    "whisperx_vram_allocated_bytes": "gauge",
    "whisperx_vram_cache_bytes": "gauge",
    "whisperx_service_info": "gauge",
}


def lines(metrics: Metrics, *starts: str) -> list[str]:
    text = metrics.render()[0].decode()
    return [line for line in text.splitlines() if line.startswith(starts)]


def test_every_name_of_the_contract_is_there() -> None:
    text = Metrics().render()[0].decode()
    for name, kind in CONTRACT.items():
        exposed = f"{name}_total" if kind == "counter" else name
        assert f"# TYPE {exposed} {kind}\n" in text


def test_the_buckets_of_a_request_are_the_contracts() -> None:
    metrics = Metrics()
    metrics.request("/asr", 200, 45)
    bounds = [
        line.partition('le="')[2].partition('"')[0]
        for line in lines(metrics, "whisperx_request_duration_seconds_bucket")
    ]
    wanted = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, float("inf")]
    assert [float(bound) for bound in bounds] == wanted


def test_what_the_rooms_say_is_told() -> None:
    metrics = Metrics()
    metrics.audio(90, 2_500_000)
    metrics.evicted("base")
    metrics.batch(4)
    metrics.engine_busy(1.5)
    metrics.tokens(70)
    metrics.restarted("gpu")
    metrics.queue_wait(0.5)
    metrics.walked(Trail("a", began_s=0, stages={"read": Stage(0, 1, 1), "decode": Stage(1, 5, 2)}))
    metrics.walked(Trail("b", began_s=0, facts={"error": "busy"}))
    metrics.walked(Trail("c", began_s=0, facts={"error": "invalid_audio"}))
    metrics.abandoned("queue")
    metrics.step("listener", 0.25)
    metrics.speed(60, 3)
    labels = {"version": "1", "device": "cpu", "compute_type": "float32", "serve_mode": "simple"}
    metrics.describe(lambda: labels)
    assert lines(
        metrics,
        *("whisperx_audio_duration_seconds_sum", "whisperx_audio_size_megabytes_sum"),
        *("whisperx_model_evictions_total", "asr_batch_rows_sum", "asr_tokens_total"),
        "asr_engine_busy_seconds_total",
        *("asr_restarts_total", "asr_queue_wait_seconds_sum", "asr_stage_seconds_sum"),
        *(
            "asr_errors_total",
            'asr_refused_total{reason="b',
            "asr_abandoned_total",
            "asr_step_seconds_sum",
        ),
        *("asr_speed_ratio_sum", "whisperx_service_info"),
    ) == [
        'whisperx_model_evictions_total{model="base"} 1.0',
        "whisperx_audio_duration_seconds_sum 90.0",
        "whisperx_audio_size_megabytes_sum 2.5",
        'whisperx_service_info{compute_type="float32",device="cpu",'
        'serve_mode="simple",version="1"} 1.0',
        "asr_queue_wait_seconds_sum 0.5",
        'asr_stage_seconds_sum{stage="read"} 1.0',
        'asr_stage_seconds_sum{stage="decode"} 2.0',
        "asr_batch_rows_sum 4.0",
        "asr_engine_busy_seconds_total 1.5",
        "asr_tokens_total 70.0",
        'asr_restarts_total{actor="gpu"} 1.0',
        'asr_errors_total{code="busy"} 1.0',
        'asr_errors_total{code="invalid_audio"} 1.0',
        'asr_refused_total{reason="busy"} 1.0',
        'asr_abandoned_total{stage="queue"} 1.0',
        'asr_step_seconds_sum{actor="listener"} 0.25',
        "asr_speed_ratio_sum 20.0",
    ]


def test_what_is_watched_is_read_at_each_scrape() -> None:
    metrics, waiting = Metrics(), [1]
    metrics.watch_queue(lambda: QueueStats(waiting[0], 2, 8, 32))
    board = Board((LoadedModel("base", 1), LoadedModel("tiny.en", 1)))
    metrics.watch_gpu(board)
    metrics.watch_uploads(lambda: ReceiverStats(3, 4))
    waiting[0] = 9
    board.memory, board.waiting = Memory(active=5, cached=6, peak=7), 10
    board.running, board.tokens_per_s = 11, 12.5
    assert lines(
        metrics,
        *("asr_queue_d", "asr_upload", "asr_windows", "asr_rows", "asr_tokens_per"),
        *("whisperx_act", "whisperx_l", "whisperx_v"),
    ) == [
        "whisperx_active_transcriptions 2.0",
        "whisperx_loaded_models 2.0",
        "whisperx_vram_allocated_bytes 5.0",
        "whisperx_vram_cache_bytes 6.0",
        "asr_queue_depth 9.0",
        "asr_queue_depth_max 32.0",
        "asr_windows_waiting 10.0",
        "asr_rows 11.0",
        "asr_tokens_per_second 12.5",
        "asr_uploads 3.0",
        "asr_upload_bytes 4.0",
    ]


def test_two_houses_share_no_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.tokens(5)
    assert lines(other, "asr_tokens_total") == ["asr_tokens_total 0.0"]
