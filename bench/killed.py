"""A process that keeps jobs is killed again and again, and nothing that it has said is untrue.

    uv run python -m bench.killed [--cases 200] [--seed 1] [--folder .]

A victim takes jobs in, does them, tells of them, cancels some and deletes some, all at the same
time, and says what it has been promised. It is killed (SIGKILL) at any moment, and the next one
goes on with what is left. Then every promise is held against the journal. Exits with 1 if one was
broken. What a loss of power does cannot be tried like this: for that SQLite's word is taken.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import trio

from asr.actors.jobs.local.journal import open_journal
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import ENDED, TRIES_MAX, Bounds, Job, JobQueue, Run, UnknownJob
from asr.actors.turns import Priority
from asr.pipeline.errors import AsrError, Busy

BOUNDS = Bounds(durable_max=20, client_max=15)
SLOTS = 3
LINES_MAX = 120  # of a victim, before it is killed
STEP_S = 0.002
FINISH_S = 30.0  # for what the last victim has left

Say = Callable[..., None]


def segments(job_id: str) -> list[dict[str, Any]]:
    """What is told of a job: the same at each try."""
    chance = Random(job_id)
    return [{"index": index, "text": job_id * chance.randint(1, 50)} for index in range(6)]


def result(job_id: str) -> bytes:
    return job_id.encode() * 1000


async def do(run: Run, /) -> bytes:
    """The victim's handler: what earlier tries have told is not told again."""
    for segment in segments(run.job.id)[run.told.get("segment", 0) :]:
        run.tell("progress", {"done": segment["index"]})
        run.tell("segment", segment)
        await trio.sleep(STEP_S)
    if run.job.id.endswith("7"):
        raise AsrError("no job of that number can be done")
    return result(run.job.id)


async def listen(queue: JobQueue, job_id: str, say: Say) -> None:
    """Say what is heard of a job; of some, delete all when it has ended."""
    with suppress(UnknownJob):
        async with queue.events(job_id) as events:
            async for event in events:
                say("heard", job_id, event.number, event.kind, event.data)
        if job_id.endswith("3"):
            say("deleting", job_id)
            await queue.forget(job_id)
            say("deleted", job_id)


async def come(queue: JobQueue, names: Iterator[str], say: Say, nursery: trio.Nursery) -> None:
    """Submit jobs for ever; cancel one now and then."""
    for name in names:
        chance = Random(name)
        job = Job(name, name, client=chance.choice("ab"), priority=chance.choice([*Priority]))
        try:
            await queue.submit(job)
        except Busy:
            await trio.sleep(STEP_S)
            continue
        say("kept", name)
        nursery.start_soon(listen, queue, name, say)
        if name.endswith("5"):
            with suppress(UnknownJob):
                say("cancelled" if await queue.cancel(name) else "ended", name)


async def live(folder: Path, name: str) -> None:
    """Be the victim: work until killed, and say what is true, a line of JSON for each."""

    def say(*words: Any) -> None:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()

    names = (f"{name}-{number}" for number in range(1 << 30))
    async with (
        open_journal(folder) as journal,
        open_local(BOUNDS, journal) as queue,
        trio.open_nursery() as nursery,
    ):
        for stands in await queue.list(limit=1000):
            if stands.state not in ENDED:
                nursery.start_soon(listen, queue, stands.job.id, say)
        await nursery.start(partial(queue.work, do, slots=SLOTS))
        for _ in range(SLOTS):
            nursery.start_soon(come, queue, names, say, nursery)


@dataclass(slots=True)
class Promises:
    """What victims have said, and how it is found broken."""

    kept: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    heard: dict[str, dict[int, tuple[str, Mapping[str, Any]]]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    poisoned: int = 0

    def note(self, line: str) -> None:
        """A line that a victim has said; the last one may be cut off."""
        try:
            what, name, *more = json.loads(line)
        except ValueError:
            return
        if what == "heard":
            number, kind, data = more
            before = self.heard.setdefault(name, {}).setdefault(number, (kind, data))
            self.hold(before == (kind, data), f"{name}: event {number} has changed")
        elif what != "ended":
            getattr(self, what).add(name)

    def hold(self, true: bool, promise: str) -> None:
        if not true:
            self.broken.append(promise)

    async def check(self, queue: JobQueue) -> None:
        """Hold all of it against a queue that nobody works at."""
        for name in self.kept - self.deleting:
            try:
                await self._check_job(queue, name)
            except UnknownJob:
                self.broken.append(f"{name}: lost")
        for name in self.deleted:
            with suppress(UnknownJob):
                await queue.standing(name)
                self.broken.append(f"{name}: deleted, and here again")
        running = (await queue.stats()).running
        self.hold(running == 0, f"{running} run where nobody works")

    async def finish(self, queue: JobQueue) -> None:
        """Have all that is left done: no job that was kept waits for ever."""
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(queue.work, do, slots=SLOTS))
            with trio.move_on_after(FINISH_S):
                for name in self.kept - self.deleting:
                    async with queue.events(name) as news:
                        async for _ in news:
                            pass
            nursery.cancel_scope.cancel()
        stats = await queue.stats()
        self.hold(stats.waiting + stats.running == 0, f"{stats.waiting} jobs wait for ever")
        for name in self.kept - self.deleting:
            state = (await queue.standing(name)).state
            self.hold(state in ENDED, f"{name}: {state} for ever")

    async def _check_job(self, queue: JobQueue, name: str) -> None:
        stands = await queue.standing(name)
        events: dict[int, tuple[str, Mapping[str, Any]]] = {}
        if stands.state in ENDED:
            async with queue.events(name) as news:
                async for event in news:
                    events[event.number] = (event.kind, event.data)
            self.hold([*events] == [*range(1, len(events) + 1)], f"{name}: events {[*events]}")
            self.hold(events[len(events)][0] == stands.state, f"{name}: {stands.state} is not last")
            heard = self.heard.get(name, {})
            self.hold(heard.items() <= events.items(), f"{name}: what was heard is not there")
        told = [data for kind, data in events.values() if kind == "segment"]
        self.hold(told == segments(name)[: len(told)], f"{name}: told {told}")
        self.hold(name not in self.cancelled or stands.state == "cancelled", f"{name}: lives again")
        self.hold(stands.tries <= TRIES_MAX, f"{name}: {stands.tries} tries")
        if stands.state == "done":
            self.hold(told == segments(name), f"{name}: done, and told {len(told)}")
            self.hold(await queue.result(name) == result(name), f"{name}: another result")
        elif stands.state == "failed" and not name.endswith("7"):
            self.poisoned += 1
            self.hold(stands.tries == TRIES_MAX, f"{name}: given up after {stands.tries}")


def kill_one(folder: Path, name: str, lines: int) -> Iterator[str]:
    """What a victim says until it is killed."""
    command = (sys.executable, "-m", "bench.killed", "--victim", name, "--folder", str(folder))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for _ in range(lines):
            yield victim.stdout.readline()
        victim.send_signal(signal.SIGKILL)
        yield from victim.stdout
    if victim.returncode != -signal.SIGKILL:
        raise AssertionError(f"the victim ended by itself: {victim.returncode}")


async def opened(folder: Path, look: Callable[[JobQueue], Awaitable[None]]) -> None:
    async with open_journal(folder) as journal, open_local(BOUNDS, journal) as queue:
        await look(queue)


def campaign(folder: Path, cases: int, *, seed: int = 1) -> Promises:
    """Kill so many victims of one folder, and hold what they said against what is there."""
    chance = Random(seed)
    promises = Promises()
    for case in range(cases):
        for line in kill_one(folder, f"v{case}", chance.randint(1, LINES_MAX)):
            promises.note(line)
        trio.run(opened, folder, promises.check)
    trio.run(opened, folder, promises.finish)
    trio.run(opened, folder, promises.check)
    return promises


def main() -> None:
    """Run a campaign, and say what is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--victim", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.victim:
        trio.run(live, options.folder, options.victim)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-killed-") as folder:
        promises = campaign(Path(folder) / "jobs", options.cases, seed=options.seed)
    print(f"{options.cases} processes killed; {len(promises.kept)} jobs kept,")
    print(
        f"{sum(map(len, promises.heard.values()))} events heard, {promises.poisoned} jobs given up"
    )
    print("\n".join(promises.broken) or "no promise was broken")
    sys.exit(1 if promises.broken else 0)


if __name__ == "__main__":
    main()
