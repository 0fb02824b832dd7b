"""One long file on one worker, and on two that share its windows: processes of one core each.

    uv run python -m bench.split [--minutes 12] [--model tiny.en] [--rounds 3]

A front, a real Redis (``redis-server`` has to be installed) and workers with the embedded model, as
people run them, pinned to a core each (Linux). Each round has its own Redis, so that nothing is
found that an earlier one has computed. Times are worth what the machine is quiet; beside them is
what each worker has computed, which others on the machine change less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import trio

from bench.machine import describe
from tests.real import sounds
from tests.real.machines import machines
from tests.real.process import until

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_S = 3600.0
LOOK_EVERY_S = 2.0
RESTING_S = 0.1  # of processor time, of all together, between two looks


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(describe("trio", "coredis", "mlx"))
    print("| one worker, s | two, s | times as fast | processor s of one | of each of two | same |")
    print("|---|---|---|---|---|---|")
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        file = long_file(Path(folder), asked.minutes)
        for number in range(asked.rounds):
            one, two = (
                trio.run(measured, Path(folder, f"{number}-{count}"), file, asked.model, count)
                for count in (1, 2)
            )
            ratios.append(one.took_s / two.took_s)
            same = "yes" if one.text == two.text else "NO"
            print(
                f"| {one.took_s:.1f} | {two.took_s:.1f} | {ratios[-1]:.2f} "
                f"| {one.worked} | {two.worked} | {same} |"
            )
    print(f"\nmedian: {statistics.median(ratios):.2f}")


def surroundings() -> dict[str, str]:
    """What the processes are told: models are where they are for everybody."""
    cache = Path(os.environ.get("CACHE_DIR", "~/.cache/asr-service")).expanduser()
    (cache / "models").mkdir(parents=True, exist_ok=True)  # for links to it
    told = {"HOST": "127.0.0.1", "PORT": "0", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **told, "CACHE_DIR": str(cache)}


def long_file(folder: Path, minutes: float) -> Path:
    """A recording again and again, as samples."""
    audio = sounds.recorded(sounds.AUSTEN, folder)
    file = folder / "long.pcm"
    times = max(1, round(minutes * 60 / audio.duration_s))
    file.write_bytes(audio.path.read_bytes() * times)
    return file


@dataclass(frozen=True)
class Measured:
    """How long a transcript took, what each worker computed for it, in seconds, and what it is."""

    took_s: float
    worked_s: tuple[float, ...]
    text: str

    @property
    def worked(self) -> str:
        return " + ".join(f"{seconds:.1f}" for seconds in self.worked_s)


async def measured(folder: Path, file: Path, model: str, workers: int) -> Measured:
    """What it takes so many workers to transcribe a file."""
    await trio.Path(folder).mkdir()
    store = f"file://{folder / 'audio'}"  # through the queue only short files go
    with machines(folder, surroundings() | {"ASR_STORE_URL": store}) as town, town.redis():
        town.start("front", "front", engine=None)
        for core in range(workers):
            command = ("work", "--slots", "1")
            town.start(f"worker-{core}", *command, engine=None, core=core, PRELOAD_MODEL=model)
        for machine in town.at.values():
            await trio.to_thread.run_sync(machine.ready)
        async with httpx.AsyncClient(base_url=town.at["front"].url, timeout=PATIENCE_S) as client:

            async def all_there() -> bool:
                told = (await client.get("/queue-metrics")).json()
                return bool(told["queue"]["gpu_concurrency"] == workers)

            await until(all_there)
            pids = [town.at[f"worker-{core}"].process.pid for core in range(workers)]
            await at_rest(pids)
            before = [await computed_s(pid) for pid in pids]
            took_s, text = await asked(client, file, model)
            after = [await computed_s(pid) for pid in pids]
            worked_s = tuple(end - start for start, end in zip(before, after, strict=True))
            return Measured(took_s, worked_s, text)


async def at_rest(pids: Sequence[int]) -> None:
    """Return when processes have done what they do after they are ready: imports, mostly."""
    worked_s = -1.0
    while (now_s := sum([await computed_s(pid) for pid in pids])) - worked_s > RESTING_S:
        worked_s = now_s
        await trio.sleep(LOOK_EVERY_S)


async def computed_s(pid: int) -> float:
    """The processor time that a process has had."""
    stat = await trio.Path("/proc", str(pid), "stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def asked(client: httpx.AsyncClient, file: Path, model: str) -> tuple[float, str]:
    """How long a transcript takes, and what it says."""
    began_s = trio.current_time()
    samples = await trio.Path(file).read_bytes()
    answer = await client.post(
        "/asr",
        params={"output": "srt", "encode": "false", "model": model, "language": "en"},
        files={"audio_file": ("long", samples)},
    )
    answer.raise_for_status()
    return trio.current_time() - began_s, answer.text


if __name__ == "__main__":
    main()
