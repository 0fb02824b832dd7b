"""The whole service under load: many HTTP clients, each with a file always on its way.

    uv run python -m bench.clients [--clients 64] [--seconds 60 | --requests N] [--warm-up N]
        [--audio FILE ...]

Starts ``run.py`` as a process on a free port. Each client sends the next file as soon as its last
is answered, until the seconds are over or the requests are given out; what is under way then is
waited for, and counts. ``--warm-up`` requests go before the clock starts, as many at once as there
are clients. Settings are those of the environment, such as PRELOAD_MODEL and GPU_CONCURRENCY; only
MAX_QUEUE_SIZE is raised, unless it is given, so that no client is turned away.

Batch, tokens and stages come from /metrics: the differences between the start and the end.
"""

import argparse
import itertools
import os
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import trio
from prometheus_client.parser import text_string_to_metric_families

from bench.machine import describe, gpu_watched
from bench.markdown import print_head, print_row
from bench.serving import Service, serving
from bench.speech import SPEECH, WARM_UP, duration_s
from bench.wer import spoken_in, word_error_rate

# What a client waits after an answer that was none, unless the answer says.
PAUSE_S = 1.0

Samples = dict[str, float]


@dataclass(frozen=True, slots=True)
class Recording:
    """A file as it is sent, how long it is, and what is said in it, if that is known."""

    name: str
    body: bytes
    seconds: float
    spoken: str | None


@dataclass(slots=True)
class Tally:
    """What all clients got."""

    audio_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    said: list[tuple[Recording, str]] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def answered(self, recording: Recording, text: str, latency_s: float) -> None:
        self.audio_s += recording.seconds
        self.latencies_s.append(latency_s)
        self.said.append((recording, text))

    def word_error_rate(self) -> float | None:
        known = [(sent.spoken, text) for sent, text in self.said if sent.spoken is not None]
        spoken, said = [spoken for spoken, _ in known], [text for _, text in known]
        return word_error_rate(spoken, said) if known else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=64)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=60.0)
    length.add_argument("--requests", type=int)
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--audio", type=Path, nargs="+", default=[SPEECH, WARM_UP])
    given = parser.parse_args()
    queue = os.environ.get("MAX_QUEUE_SIZE", str(given.clients))
    with serving(MAX_QUEUE_SIZE=queue) as service:
        print(f"{describe()}; {service.ready}")
        trio.run(load, service, given)


async def load(service: Service, given: argparse.Namespace) -> None:
    """Warm the service, load it, and print what came of it."""
    recordings = [read(file) for file in given.audio]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=service.url, timeout=None, limits=limits) as client:
        await crowd(client, given.clients, first(given.warm_up, recordings))
        before = await scrape(client)
        began = time.perf_counter()
        if given.requests:
            work = first(given.requests, recordings)
        else:
            work = until(began + given.seconds, recordings)
        with gpu_watched() as busy:
            tally = await crowd(client, given.clients, work)
            taken_s = time.perf_counter() - began
        after = await scrape(client)
    gained = {name: value - before.get(name, 0.0) for name, value in after.items()}
    print(f"{given.clients} clients, {', '.join(recording.name for recording in recordings)}\n")
    print_head("what", "figure")
    for what, figure in figures(tally, taken_s, gained, busy):
        print_row(what, figure)
    print_row("resident at the end, MB", f"{service.resident_mb():.0f}")


def read(file: Path) -> Recording:
    return Recording(file.name, file.read_bytes(), duration_s(file), spoken_in(file))


def first(count: int, recordings: list[Recording]) -> Iterator[Recording]:
    """So many recordings, in turn."""
    return itertools.islice(itertools.cycle(recordings), count)


def until(ends: float, recordings: list[Recording]) -> Iterator[Recording]:
    """Recordings in turn, until the clock says that it is enough."""
    return itertools.takewhile(lambda _: time.perf_counter() < ends, itertools.cycle(recordings))


async def crowd(client: httpx.AsyncClient, clients: int, work: Iterator[Recording]) -> Tally:
    """So many clients, who take what they send next from the same pile."""
    tally = Tally()
    async with trio.open_nursery() as nursery:
        for _ in range(clients):
            nursery.start_soon(send_on, client, work, tally)
    return tally


async def send_on(client: httpx.AsyncClient, work: Iterator[Recording], tally: Tally) -> None:
    """One client: the next file as soon as the last is answered."""
    for recording in work:
        answer = await send(client, recording, tally)
        if not answer.is_success:
            await trio.sleep(float(answer.headers.get("Retry-After", PAUSE_S)))


async def send(client: httpx.AsyncClient, recording: Recording, tally: Tally) -> httpx.Response:
    """One request, which is not sent again when it is refused."""
    began = time.perf_counter()
    body = {"audio_file": (recording.name, recording.body)}
    answer = await client.post("/asr", params={"output": "txt"}, files=body)
    if answer.is_success:
        tally.answered(recording, answer.text, time.perf_counter() - began)
    else:
        tally.failures[f"{answer.status_code}"] += 1
    return answer


async def scrape(client: httpx.AsyncClient) -> Samples:
    """Every sample of /metrics by name; those of a stage as "name stage"."""
    text = (await client.get("/metrics")).text
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = " ".join(filter(None, (sample.name, sample.labels.get("stage"))))
            samples[name] = samples.get(name, 0.0) + sample.value
    return samples


def figures(
    tally: Tally, taken_s: float, gained: Samples, busy: list[int]
) -> Iterator[tuple[str, str]]:
    """What to say of a run, line by line; what nobody counted is left out."""
    yield "seconds, until the last answer", f"{taken_s:.1f}"
    yield "requests answered", str(len(tally.latencies_s))
    yield from ((f"refused with {status}", str(n)) for status, n in tally.failures.items())
    yield "audio seconds a second", f"{tally.audio_s / taken_s:.1f}"
    if len(tally.latencies_s) > 1:
        parts = statistics.quantiles(tally.latencies_s, n=20, method="inclusive")
        yield "latency, p50 and p95", f"{parts[9]:.2f} s and {parts[18]:.2f} s"
    if steps := gained.get("asr_batch_rows_count"):
        yield "windows in the batch, mean", f"{gained['asr_batch_rows_sum'] / steps:.1f}"
    if tokens := gained.get("asr_tokens_total"):
        yield "text tokens a second", f"{tokens / taken_s:.0f}"
    if worked_s := gained.get("asr_engine_busy_seconds_total"):
        yield "engine at work, share of the time", f"{worked_s / taken_s:.0%}"
    yield from waits(gained)
    if busy:
        idle = sum(sample == 0 for sample in busy) / len(busy)
        yield "GPU utilisation, mean", f"{statistics.mean(busy):.0f} %, {idle:.0%} of the time none"
    if (rate := tally.word_error_rate()) is not None:
        yield "word error rate", f"{rate:.1%}"


def waits(gained: Samples) -> Iterator[tuple[str, str]]:
    """How long a request is in the queue and in each stage."""
    for name, count in gained.items():
        base, _, stage = name.partition("_count")
        if base in {"asr_queue_wait_seconds", "asr_stage_seconds"} and count:
            seconds = gained[f"{base}_sum{stage}"] / count
            yield f"{stage.strip() or 'queue'}, seconds a request, mean", f"{seconds:.2f}"


if __name__ == "__main__":
    main()
