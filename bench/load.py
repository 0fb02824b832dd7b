"""How the service bears more and more work: closed loop, then arrivals that wait for nobody.

    uv run python -m bench.load [--clients 1,2,4,8,16,32] [--loads 0.5,0.8,0.95,1.2,2]
        [--seconds 60] [--seed 1] [--audio FILE ...] [--picture FILE.png]

Starts ``run.py`` as a process on a free port. In the closed loop each of so many clients sends its
next file as soon as the last is answered: the best of these rates is what the service can do. In
the open loop requests come at random (Poisson) at multiples of that rate, whether or not others are
answered, as they do from the world: past 1 the queue fills, and what the service is to do is say
so, at once, and go on at its best rate. Settings are those of the environment, such as
PRELOAD_MODEL, MAX_QUEUE_SIZE and GPU_CONCURRENCY.
"""

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import httpx
import trio

from bench.clients import Recording, Tally, crowd, first, read, send, until
from bench.load_picture import draw
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.serving import Service, serving
from bench.speech import SPEECH, WARM_UP

CLIENTS = "1,2,4,8,16,32"
LOADS = "0.5,0.8,0.95,1.2,2"
HEAD = ("answered", "refused", "requests a second", "x realtime", "p50 s", "p90 s", "p99 s")


@dataclass(frozen=True, slots=True)
class Point:
    """What came of one load; ``load`` is clients, or the share of the best rate that came in."""

    load: float
    seconds: float
    audio_s: float
    refused: int
    latencies_s: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return len(self.latencies_s) / self.seconds

    @property
    def speed(self) -> float:
        """Seconds of audio done in a second."""
        return self.audio_s / self.seconds

    def latency_s(self, percent: int) -> float:
        """What so many percent of the answers took at most."""
        if len(self.latencies_s) < 2:
            return max(self.latencies_s, default=float("nan"))
        return statistics.quantiles(self.latencies_s, n=100, method="inclusive")[percent - 1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", default=CLIENTS)
    parser.add_argument("--loads", default=LOADS)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--audio", type=Path, nargs="+", default=[SPEECH, WARM_UP])
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    with serving() as service:
        machine = f"{describe()}; {service.ready}"
        print(machine)
        closed, opened = trio.run(measure, service, given)
        print(f"resident at the end: {service.resident_mb():.0f} MB")
    if given.picture:
        draw(given.picture, closed, opened, title=machine)


async def measure(
    service: Service, given: argparse.Namespace
) -> tuple[Sequence[Point], Sequence[Point]]:
    """Both loops, each told as it goes."""
    recordings = [read(file) for file in given.audio]
    names = ", ".join(recording.name for recording in recordings)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=service.url, timeout=None, limits=limits) as client:
        await crowd(client, 1, first(len(recordings), recordings))  # loads what finds speech
        print(f"\nclosed loop, {given.seconds:g} s each: {names}\n")
        print_head("clients", *HEAD)
        closed = [
            tell(await close_loop(client, int(count), given.seconds, recordings))
            for count in given.clients.split(",")
        ]
        best = max(point.rate for point in closed)
        print(f"\nopen loop, {given.seconds:g} s each: {best:.2f} requests a second are 1\n")
        print_head("load", *HEAD)
        chance = random.Random(given.seed)
        opened = []
        for share in map(float, filter(None, given.loads.split(","))):
            arrive = partial(chance.expovariate, best * share)
            opened.append(tell(await open_loop(client, share, given.seconds, recordings, arrive)))
    return closed, opened


async def close_loop(
    client: httpx.AsyncClient, clients: int, seconds: float, recordings: list[Recording]
) -> Point:
    """Clients who send on and on; what is under way at the end is waited for, and counts."""
    began = time.perf_counter()
    tally = await crowd(client, clients, until(began + seconds, recordings))
    return point_of(clients, tally, time.perf_counter() - began)


async def open_loop(
    client: httpx.AsyncClient,
    share: float,
    seconds: float,
    recordings: list[Recording],
    pause_s: partial[float],
) -> Point:
    """Requests that come whether or not others are answered."""
    tally = Tally()
    began = time.perf_counter()
    work = cycle(recordings)
    async with trio.open_nursery() as nursery:
        while time.perf_counter() < began + seconds:
            nursery.start_soon(send, client, next(work), tally)
            await trio.sleep(pause_s())
    return point_of(share, tally, time.perf_counter() - began)


def point_of(load: float, tally: Tally, seconds: float) -> Point:
    """The figures of a tally. Whatever is not 200 or 503 is no answer to load."""
    assert set(tally.failures) <= {"503"}, tally.failures
    refused = tally.failures["503"]
    return Point(load, seconds, tally.audio_s, refused, tuple(tally.latencies_s))


def tell(point: Point) -> Point:
    """Print a point as it is known."""
    print_row(
        f"{point.load:g}",
        str(len(point.latencies_s)),
        str(point.refused),
        f"{point.rate:.2f}",
        f"{point.speed:.1f}",
        *(f"{point.latency_s(percent):.2f}" for percent in (50, 90, 99)),
    )
    return point


if __name__ == "__main__":
    main()
