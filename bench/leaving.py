"""How soon the next request begins when a client leaves, whatever its own request is at.

    uv run python -m bench.leaving [--times 5] [--model base] [--seed 1]

Starts the program on a free port with room for one request, so that the next one waits in the
queue; or, where it is the batch that is left, for two with a row between them. A client is brought
to a stage, its socket is closed at a moment that chance decides, and it is noted inside the program
(``bench.noted``) when the next request has its turn, and when its first decode step begins. What it
needs in between by itself is measured with nobody before it. Figures are medians and worst cases.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trio

from bench.clients import scrape
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.noted import Note, read_notes
from bench.serving import Service, serving
from bench.speech import SPEECH, WARM_UP, repeat
from tests.http.wire import connect_to

# Audio that is at its stage for as long as it takes to leave; and audio of one window, so that one
# that waits for the batch is somebody else's.
LONG_S = 1200.0
WINDOW_S = 29.0

DELAY_MAX_S = 0.3  # at most, until one leaves: longer than a step
LOOK_EVERY_S = 0.002
PATIENCE_S = 300.0  # with what a stage has to load at first

FOLLOWER = {"output": "txt", "language": "en"}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a client leaves: what it asked for, and the call that shows that it is there."""

    name: str
    path: str
    shown_by: str
    in_batch: bool = False  # the next request waits for a row, and not for a place
    short: bool = False
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def field(self) -> str:
        return "audio_file" if self.path.startswith("/asr") else "file"


ASR = "/asr?output=json&language=en"
STREAM = (("stream", "true"), ("language", "en"))
STAGES = (
    Stage("ffmpeg", ASR, "walk"),
    Stage("speech", ASR, "finder.advance"),
    Stage("language", "/asr?output=json", "finder.begin", short=True),
    Stage("decoding", ASR, "engine.advance"),
    Stage("streaming", "/v1/audio/transcriptions", "engine.growing", fields=STREAM),
    Stage("speakers", f"{ASR}&diarize=true", "diarizer.advance"),
    Stage("the batch", ASR, "engine.advance", in_batch=True),
)


@dataclass(frozen=True, slots=True)
class Late:
    """What the next request waited after a client had left, in seconds; ``step_s`` is what was
    left of the step that was being taken."""

    turn_s: float
    first_step_s: float
    step_s: float


@dataclass(frozen=True, slots=True)
class Scene:
    """The program, its notes, and the files that are sent."""

    service: Service
    notes: Path
    long: Path
    chance: random.Random

    def since(self, began_s: float) -> list[Note]:
        return [note for note in read_notes(self.notes) if note.began_s >= began_s]

    async def shown(self, what: str, since_s: float) -> None:
        """Return when a call has been made."""

        async def noted() -> bool:
            return any(note.what == what for note in self.since(since_s))

        await happens(noted)

    async def leave(self, stage: Stage) -> Late:
        """Have a client leave at a stage, and somebody come after it."""
        began_s = time.monotonic()
        async with await connect_to(self.service.url) as leaver, trio.open_nursery() as nursery:
            await leaver.send_all(self._request(stage))
            await self.shown(stage.shown_by if stage.in_batch else "walk", began_s)
            nursery.start_soon(self.follow)
            await self._waits("asr_windows_waiting" if stage.in_batch else "asr_queue_depth")
            await self.shown(stage.shown_by, began_s)
            await trio.sleep(self.chance.uniform(0, DELAY_MAX_S))
            left_s = time.monotonic()
            await leaver.aclose()
        notes = self.since(began_s)
        turn = first("engine.admit" if stage.in_batch else "walk", notes, left_s)
        step = first_step(notes, left_s)
        running = [note.ended_s - left_s for note in notes if note.began_s <= left_s < note.ended_s]
        return Late(turn - left_s, step - left_s, max(running, default=0.0))

    async def follow(self) -> None:
        """Ask for a few seconds of speech."""
        async with httpx.AsyncClient(base_url=self.service.url, timeout=None) as client:
            files = {"audio_file": WARM_UP.read_bytes()}
            (await client.post("/asr", params=FOLLOWER, files=files)).raise_for_status()

    async def own_way(self) -> tuple[float, float]:
        """From its turn, and from its row's, to the first step of a request that is alone."""
        began_s = time.monotonic()
        await self.follow()
        notes = self.since(began_s)
        step = first_step(notes, began_s)
        return step - first("walk", notes, began_s), step - first("engine.admit", notes, began_s)

    def _request(self, stage: Stage) -> bytes:
        file = SPEECH if stage.short else self.long
        request = httpx.Request(
            "POST",
            f"http://x{stage.path}",
            files={stage.field: file.read_bytes()},
            data=dict(stage.fields),
        )
        body = request.read()
        lines = (f"{name}: {value}" for name, value in request.headers.items())
        head = "\r\n".join((f"POST {stage.path} HTTP/1.1", *lines, "", ""))
        return head.encode() + body

    async def _waits(self, gauge: str) -> None:
        """Return when somebody waits."""
        async with httpx.AsyncClient(base_url=self.service.url) as client:

            async def waits() -> bool:
                return (await scrape(client))[gauge] > 0

            await happens(waits)


async def happens(condition: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again: nobody says when something has happened in another process."""
    with trio.fail_after(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - as the docstring says
            await trio.sleep(LOOK_EVERY_S)


def first(what: str, notes: Sequence[Note], since_s: float) -> float:
    """When the first call of that name began after a moment."""
    return min(note.began_s for note in notes if note.what == what and note.began_s >= since_s)


def first_step(notes: Sequence[Note], since_s: float) -> float:
    """When the first step began of who joined the batch next."""
    return first("engine.advance", notes, first("engine.admit", notes, since_s))


async def run(scene: Scene, stages: Sequence[Stage], times: int) -> None:
    await scene.follow()
    own = [await scene.own_way() for _ in range(times)]
    ways = [statistics.median(way) for way in zip(*own, strict=True)]
    for stage in stages:
        late = [await scene.leave(stage) for _ in range(times)]
        own_s = ways[1] if stage.in_batch else ways[0]
        print_row(stage.name, *figures(late, own_s))


def figures(late: Sequence[Late], own_s: float) -> Iterator[str]:
    """Milliseconds, for people: medians and worst cases."""
    for seconds in (
        [each.turn_s for each in late],
        [each.first_step_s for each in late],
        [each.step_s for each in late],
    ):
        yield f"{1000 * statistics.median(seconds):.0f} / {1000 * max(seconds):.0f}"
    yield f"{1000 * own_s:.0f}"


@contextmanager
def scenes(model: str, seed: int, *, audio_s: float, **settings: str) -> Iterator[Scene]:
    """A program that is ready, with a file to be left."""
    with tempfile.TemporaryDirectory() as folder:
        notes, long = Path(folder, "notes"), Path(folder, "long.flac")
        repeat(long, audio_s)
        program = ("-m", "bench.noted", str(notes))
        with serving(None, *program, PRELOAD_MODEL=model, **settings) as service:
            yield Scene(service, notes, long, random.Random(seed))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--model", default="base")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{describe()}; model {asked.model}; milliseconds, median / worst of {asked.times}\n")
    print_head("left at", "the next one's turn", "its first step", "step at work", "its own way")
    for settings, in_batch in (({}, False), ({"BATCH_SIZE": "1"}, True)):
        places = "2" if in_batch else "1"
        stages = [stage for stage in STAGES if stage.in_batch == in_batch]
        audio_s = WINDOW_S if in_batch else LONG_S
        named = {"GPU_CONCURRENCY": places, **settings}
        with scenes(asked.model, asked.seed, audio_s=audio_s, **named) as scene:
            trio.run(run, scene, stages, asked.times)


if __name__ == "__main__":
    main()
