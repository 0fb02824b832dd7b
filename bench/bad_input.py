"""Bad input: thousands of damaged files, lures, odd forms and junk parameters, and what they cost.

    uv run python -m bench.bad_input [--cases 5000] [--seed 1] [--only NUMBER]

The cases are made by seed and number (tests/attack/) and sent to the server as people run it, but
for an engine that says "word". Ends with 1 unless every answer was a decent one, no canary was
touched, and nothing was left behind. --only prints one case, its request and its answer.
"""

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import trio

from bench.machine import describe
from tests.attack.corpus import Corpus
from tests.attack.corpus_run import Outcome, Vitals, ask, attack, canaries, left_behind
from tests.attack.forms import small
from tests.real import process
from tests.real.process import Server
from tests.real.rig import Rig, rigged

WARM = 60  # cases after which a server holds what it always will


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        media, orders, cache = (folder / name for name in ("media", "orders", "cache"))
        for made_folder in (media, orders, cache):
            made_folder.mkdir()
        environment = {
            "PATH": "/usr/bin:/bin",
            "CACHE_DIR": str(cache),
            "HF_HOME": str(cache / "hf"),
            "HF_HUB_OFFLINE": "true",
            "PRELOAD_MODEL": "tiny.en",
            "PORT": "0",
            "ASR_LOG_LEVEL": "error",
            "ASR_URL_ALLOWED": "true",
        }
        with (
            canaries(folder) as watched,
            process.serving(
                environment, sys.stderr.buffer, rigged(Rig(orders), engine="fake")
            ) as server,
        ):
            corpus = Corpus(asked.seed, media, watched.canaries)
            if asked.only is not None:
                return trio.run(show, server, corpus, asked.only)
            faults = trio.run(campaign, server, corpus, asked.cases)
            faults += [f"{canary} was touched" for canary in watched.touched()]
    print(*faults, sep="\n")
    return 1 if faults else 0


async def campaign(server: Server, corpus: Corpus, cases: int) -> list[str]:
    """Send them all; what was wrong. Prints what they cost."""
    warm = await attack(server, corpus, range(cases, cases + WARM))
    before = Vitals.of(server.process.pid)
    began = time.monotonic()
    outcome = await attack(server, corpus, range(cases))
    taken_s = time.monotonic() - began
    left = await left_behind(server, before)
    good = await ask(server.url, small().pieces())
    after = Vitals.of(server.process.pid)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {describe()}; seed {corpus.seed}")
    print(f"{cases} cases in {taken_s:.0f} s: {told(outcome)}")
    print(f"slowest: {outcome.slowest[0]:.1f} s, case {outcome.slowest[1]}")
    print(f"before: {before}\nafter:  {after}")
    wrong = [] if good.status == 200 else [f"a good request was answered {good.status}"]
    return [*warm.faults, *outcome.faults, *left, *wrong]


def told(outcome: Outcome) -> str:
    counts = ", ".join(f"{name}: {count}" for name, count in sorted(outcome.counts.items()))
    return f"{len(outcome.faults)} wrong; {counts}"


async def show(server: Server, corpus: Corpus, number: int) -> int:
    """One case, in full."""
    case = corpus.case(number)
    pieces = case.request.pieces()
    print(case.kind, case.name, b"".join(pieces)[:2000], sep="\n")
    print(await ask(server.url, pieces))
    return 0


if __name__ == "__main__":
    sys.exit(main())
