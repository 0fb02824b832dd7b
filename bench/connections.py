"""Thousands of broken connections: the server lives on, and nothing is left of them.

    uv run python -m bench.connections [--count 20000] [--seed 1] [--at-once 32]

Starts the program with an engine that says "word" (tests/real/rigged.py), so that it is ready soon,
and with real everything else. Requests of every kind are cut, doubled, crossed and mutated, and
their clients leave in every way. In the end there must be no answer that is a fault of ours, and
descriptors, threads, tasks, children, files and memory must be what they were before. Exits with 1
if that is not so. Needs Linux.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from math import inf
from pathlib import Path
from types import MappingProxyType

import httpx
import trio

from bench.machine import describe
from bench.memory import counts, resident_mb
from tests.attack.connections import Attack, attacks, carry_out
from tests.real import process
from tests.real.rig import Rig, rigged

# 500 to 599 would be ours, but for the transfer codings that nobody speaks.
NOT_OURS = frozenset({501})

# Short, so that who says nothing is not waited for in vain by thousands.
SETTINGS = MappingProxyType(
    {
        "ASR_KEEP_ALIVE_S": "1",
        "ASR_BODY_CHUNK_TIMEOUT_S": "1",
        "ASR_LINGER_S": "0.3",
        "ASR_LOG_LEVEL": "warning",
    }
)

REST_MAX_S = 60.0
LOOK_EVERY_S = 0.2
LOOKS = 10
GROWS_MB = 30.0  # of memory: what allocators keep for the next crowd


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds, besides memory."""

    descriptors: float
    threads: float
    children: float
    connections: float
    tasks: float
    files: float

    def within(self, other: "Held") -> bool:
        """Whether nothing is more than there."""
        return all(
            ours <= theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True)
        )


# One connection asks how it is, and no request is at work.
ALONE = Held(inf, inf, 0, 1, inf, 0)


@dataclass(slots=True)
class Account:
    """What a campaign heard, and how much memory the server took before and after."""

    statuses: Counter[int] = field(default_factory=Counter)
    silent: int = 0
    resident_mb: tuple[float, float] = (0.0, 0.0)
    took_s: float = 0.0

    def faults(self) -> dict[int, int]:
        """Answers that are a fault of ours."""
        return {
            status: times
            for status, times in self.statuses.items()
            if status >= 500 and status not in NOT_OURS
        }

    def note(self, statuses: list[int]) -> None:
        self.statuses.update(statuses)
        self.silent += not statuses


async def campaign(server: process.Server, *, count: int, seed: int, at_once: int = 32) -> Account:
    """Attack a running server, and wait until it holds no more than before.

    AssertionError if it does not come to rest, or does not answer as before.
    """
    account = Account()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        healthy = (await client.get("/health")).json()
        await fight(server, account, attacks(seed + 1, 200), at_once)  # whatever is made once is
        before, resident_mb_before = await at_rest(client, server), memory_mb(server)
        began = time.monotonic()
        await fight(server, account, attacks(seed, count), at_once)
        account.took_s = time.monotonic() - began
        await settled(client, server, within=before)
        assert (await client.get("/health")).json() == healthy
        account.resident_mb = (resident_mb_before, memory_mb(server))
    return account


async def fight(
    server: process.Server, account: Account, plan: Iterable[Attack], at_once: int
) -> None:
    """Carry out attacks, so many at a time."""
    places = trio.CapacityLimiter(at_once)

    async def one(attack: Attack) -> None:
        async with places:
            account.note(await carry_out(attack, server.url))

    async with trio.open_nursery() as attackers:
        for attack in plan:
            attackers.start_soon(one, attack)


async def at_rest(client: httpx.AsyncClient, server: process.Server) -> Held:
    """The most that the server holds when nobody but us is there; the looks themselves count."""
    seen: list[Held] = []
    while len(seen) < LOOKS:
        await settled(client, server, within=ALONE)
        seen.append(await look(client, server))
        await trio.sleep(LOOK_EVERY_S)
    return Held(*(max(numbers) for numbers in zip(*map(astuple, seen), strict=True)))


async def settled(client: httpx.AsyncClient, server: process.Server, *, within: Held) -> None:
    """Return when the server holds no more than that, which has to be soon."""
    held = await look(client, server)
    with trio.move_on_after(REST_MAX_S):
        while not held.within(within):
            await trio.sleep(LOOK_EVERY_S)
            held = await look(client, server)
    assert held.within(within), f"it holds {held}, and not {within}"


async def look(client: httpx.AsyncClient, server: process.Server) -> Held:
    """What the server holds now."""
    lines = (await client.get("/metrics")).text.splitlines()
    numbers = dict(line.rsplit(" ", 1) for line in lines if line.startswith("asr_"))
    return Held(
        *counts(server.process.pid),
        connections=float(numbers["asr_connections"]),
        tasks=float(numbers["asr_tasks"]),
        files=len(server.scratch()),
    )


def memory_mb(server: process.Server) -> float:
    return resident_mb(server.process.pid)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=32)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        environment = {**os.environ, "CACHE_DIR": folder, "HOST": "127.0.0.1", "PORT": "0"}
        program = rigged(Rig(Path(folder)), engine="fake")
        with process.serving(environment, log, program, **SETTINGS) as server:
            account = trio.run(run, server, asked)
    print(describe())
    return tell(account, asked.count, asked.seed)


async def run(server: process.Server, asked: argparse.Namespace) -> Account:
    return await campaign(server, count=asked.count, seed=asked.seed, at_once=asked.at_once)


def tell(account: Account, count: int, seed: int) -> int:
    """Print what came of it; the exit code."""
    before, after = account.resident_mb
    heard = ", ".join(f"{status}: {times}" for status, times in sorted(account.statuses.items()))
    print(
        f"{count} connections (seed {seed}) in {account.took_s:.0f} s: {heard}; silent:"
        f" {account.silent}; resident {before:.0f} MB before, {after:.0f} MB after;"
        " descriptors, threads, tasks, children and files as before"
    )
    bad = bool(account.faults()) or after > before + GROWS_MB
    if bad:
        print("FAILED")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
