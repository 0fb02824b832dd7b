"""Mixed clients for a long time: nothing grows, nothing is lost, nothing is answered twice.

    uv run python -m bench.soak [--minutes 30] [--clients 6] [--calms 10] [--seed 1]
        [--model base] [--other tiny.en]

Starts ``run.py`` as a process on a free port. The clients send good files in every manner, ask for
another model, send what has to be refused, and hang up half way. So many times they pause, and
what the process holds is written down once it is at rest: resident memory, descriptors, threads,
children, tasks, files in the spool. The first third of these is for warming up; after that none may
grow, but for the resident memory, which may by 3 % and 30 MB. Each request has an id of its own:
every one that was not left is answered once, with the text of its file, and stands once in the log.
Exits with 1 if any of this is not so. Needs Linux.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from statistics import median
from types import MappingProxyType

import httpx
import trio

from bench.clients import scrape
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.memory import counts
from bench.serving import Service, serving
from bench.soak_clients import Ledger, Visitor

# Room for one of the two models only, so that asking for the other one changes them.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "ASR_MODELS_MAX_MB": "350",
        "MODEL_EVICTION_INTERVAL_SECONDS": "30",
        "ASR_LOG_LEVEL": "info",
        "ASR_LOG_FORMAT": "json",
    }
)
AT_REST = ("asr_queue_depth", "whisperx_active_transcriptions", "asr_uploads", "asr_rows")
IDLE_S = 33.0  # after which idle connections and lent threads have ended, and the sweeper was there
REST_MAX_S = 600.0  # in which whatever was begun has to be done
GROWS_BY, GROWS_MB = 1.03, 30.0
HEAD = ("minute", "requests", "resident MB", "descriptors", "threads", "children", "tasks", "files")


@dataclass(frozen=True, slots=True)
class Calm:
    """What a process at rest holds."""

    minute: float
    requests: int
    resident_mb: float
    descriptors: int
    threads: int
    children: int
    tasks: int
    files: int


@dataclass(slots=True)
class Gate:
    """Lets clients begin a request, and knows how many are at one."""

    open: trio.Event = field(default_factory=trio.Event)
    inside: int = 0
    left: trio.Event = field(default_factory=trio.Event)

    def close(self) -> None:
        self.open = trio.Event()

    async def wait_empty(self) -> None:
        while self.inside:
            self.left = trio.Event()
            await self.left.wait()

    @contextmanager
    def entered(self) -> Iterator[None]:
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self.left.set()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--calms", type=int, default=10)
    parser.add_argument("--model", default="base")
    parser.add_argument("--other", default="tiny.en")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        settings = {name: os.environ.get(name, value) for name, value in SETTINGS.items()}
        settings["PRELOAD_MODEL"] = given.model
        settings["ASR_JOBS_DIR"] = folder
        with log.open("wb") as lines, serving(lines, **settings) as service:
            print(f"{describe()}; {service.ready}\n{given.clients} clients, seed {given.seed}\n")
            calms = trio.run(soak, service, given, ledger)
        logged = count_lines(log)
    faults = [*judge(calms), *ledger.wrong, *audit(ledger, logged)]
    print_answers(ledger)
    print("\n".join(faults) or "\nNothing grew, nothing was lost, nothing was answered twice.")
    return 1 if faults else 0


async def soak(service: Service, given: argparse.Namespace, ledger: Ledger) -> list[Calm]:
    """What the process held at each calm."""
    gate, calms = Gate(), list[Calm]()
    print_head(*HEAD)
    began = time.monotonic()
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=service.url, limits=limits) as client,
        trio.open_nursery() as nursery,
    ):
        for number in range(given.clients):
            visitor = Visitor(
                client, random.Random(given.seed * 1000 + number), ledger, given.other
            )
            nursery.start_soon(visit, visitor, gate)
        for _ in range(given.calms):
            gate.open.set()
            await trio.sleep(given.minutes * 60 / given.calms)
            gate.close()
            await rest(service, gate)
            await trio.sleep(IDLE_S)
            minute = (time.monotonic() - began) / 60
            calms.append(await look(service, minute, len(ledger.sent)))
            print_row(*(f"{value:.0f}" for value in astuple(calms[-1])))
        nursery.cancel_scope.cancel()
    return calms


async def visit(visitor: Visitor, gate: Gate) -> None:
    """Come again and again, whenever the gate is open."""
    while True:
        await gate.open.wait()
        with gate.entered():
            await visitor.come()


async def rest(service: Service, gate: Gate) -> None:
    """Wait until nobody asks and nothing is worked on: what is still held then is kept."""
    with trio.fail_after(REST_MAX_S):
        await gate.wait_empty()
        async with httpx.AsyncClient(base_url=service.url) as client:
            while True:
                samples = await scrape(client)
                if not any(samples[name] for name in AT_REST):
                    return
                await trio.sleep(0.1)


async def look(service: Service, minute: float, requests: int) -> Calm:
    """What the process holds now; its own connections, which are idle, have been closed."""
    async with httpx.AsyncClient(base_url=service.url) as client:
        tasks = int((await scrape(client))["asr_tasks"])
    held = counts(service.process.pid)
    spool = cache_dir() / "spool"
    return Calm(
        minute=minute,
        requests=requests,
        resident_mb=service.resident_mb(),
        descriptors=held.descriptors,
        threads=held.threads,
        children=held.children,
        tasks=tasks,
        files=sum(file.is_file() for file in spool.rglob("*")),
    )


def cache_dir() -> Path:
    return Path(os.environ.get("CACHE_DIR", "~/.cache/asr-service")).expanduser()


def judge(calms: Sequence[Calm]) -> Iterator[str]:
    """What grew after the first third."""
    third = max(1, len(calms) // 3)
    middle, last = calms[third : 2 * third] or calms[:1], calms[2 * third :]
    before, after = (median(calm.resident_mb for calm in part) for part in (middle, last))
    if after > before * GROWS_BY + GROWS_MB:
        yield f"resident memory grew from {before:.0f} to {after:.0f} MB"
    for name in ("descriptors", "threads", "tasks", "children", "files"):
        most = max(getattr(calm, name) for calm in middle)
        now = getattr(last[-1], name)
        if now > most:
            yield f"{name} grew from {most} to {now}"


def audit(ledger: Ledger, logged: Counter[str]) -> Iterator[str]:
    """Requests that were lost, or done twice."""
    answered = sum(ledger.answers.values())
    asked = len(ledger.sent) - len(ledger.left)
    # Those that the end of the run cut off are at most those that were at the gate then: none.
    if answered != asked:
        yield f"{asked - answered} of {asked} requests had no answer"
    for request_id in ledger.sent - ledger.left:
        if logged[request_id] != 1:
            yield f"{request_id} stands {logged[request_id]} times in the log"
    for request_id in ledger.left:
        if logged[request_id] > 1:
            yield f"{request_id}, which was left, stands {logged[request_id]} times in the log"


def count_lines(log: Path) -> Counter[str]:
    """How many lines about a request as a whole the log has, by the request's id."""
    counted = Counter[str]()
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "status" in entry and "request_id" in entry:
            counted[entry["request_id"]] += 1
    return counted


def print_answers(ledger: Ledger) -> None:
    """How requests ended, by kind."""
    print()
    print_head("what was asked, and the status of its answer", "times")
    for what, times in sorted(ledger.answers.items()):
        print_row(what, str(times))
    print_row("left half way", str(len(ledger.left)))


if __name__ == "__main__":
    sys.exit(main())
