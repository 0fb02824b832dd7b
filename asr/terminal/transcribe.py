"""Files to text without a server: several at once, one that fails does not stop the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio
from rich.text import Text

from asr.pipeline.errors import AsrError, InvalidRequest
from asr.terminal.delivery import Delivery, Ending, skipped
from asr.terminal.display import open_display, stderr_console
from asr.terminal.exits import DONE, FAILED
from asr.terminal.logs import ONE_LINE
from asr.terminal.tally import Tally

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from asr.actors.house import House
    from asr.pipeline.types import Progress, Transcript
    from asr.terminal.job import Job
    from asr.terminal.media import Source
    from asr.terminal.tally import Going

TELL_EVERY_S = 1.0  # how far a file is, for programs


def announce(job: Job) -> None:
    """Say what is left out, before anything is done."""
    console = stderr_console()
    for remark in job.remarks:
        console.print(Text(remark.translate(ONE_LINE)), soft_wrap=True)
    skipped(job)
    if job.done:
        everything = len(job.done) + len(job.sources)
        console.print(
            f"{len(job.done)} of {everything} files have their text already, newer than they are: "
            "--again does them, too",
            soft_wrap=True,
        )


async def transcribe_files(
    house: AbstractAsyncContextManager[House], job: Job, *, at_once: int
) -> int:
    """Transcribe every file, ``at_once`` together."""
    tally = Tally(len(job.sources), trio.current_time())
    async with house as opened:
        model = opened.models.resolve(job.options.model)
        async with open_display(tally) as display:
            delivery = Delivery(job, display)
            tally.previews = len(job.sources) == 1 and not delivery.grows
            try:
                await opened.preload(model)
                tally.loading = False
                await _all(opened, delivery, tally, at_once=at_once)
            finally:
                if trio.current_effective_deadline() == -math.inf:  # somebody wants no more
                    delivery.give_all()
                    _say_rest(delivery)
    return FAILED if delivery.failed else DONE


def _say_rest(delivery: Delivery) -> None:
    job = delivery.job
    if job.folder:
        delivery.display.say(
            f"{delivery.given} of {len(job.sources)} files are done, the same command does the rest"
        )


async def _all(house: House, delivery: Delivery, tally: Tally, *, at_once: int) -> None:
    free = trio.Semaphore(at_once)

    async def work(number: int, source: Source) -> None:
        ending = await _one(house, source, delivery, tally)
        delivery.deliver(number, ending)
        free.release()

    async with trio.open_nursery() as nursery:
        for number, source in enumerate(delivery.job.sources):
            await free.acquire()
            nursery.start_soon(work, number, source)


async def _one(house: House, source: Source, delivery: Delivery, tally: Tally) -> Ending:
    """What becomes of one file."""
    began_s = trio.current_time()
    going = tally.begin(source.path.name, began_s)
    watch = partial(_watch, AtWork(source, going), delivery, tally)
    outcome: Transcript | AsrError
    try:
        if not _is_file(source.path):
            raise InvalidRequest("there is no such file")
        options, live, before = delivery.job.options, delivery.grows, _state(source.path)
        outcome = await house.transcribe(source.path, options, notify=watch, live=live)
        if _state(source.path) not in (before, None):
            raise InvalidRequest("it was still being written: its text may end too early")
    except AsrError as error:
        outcome = error
    tally.end(going, failed=isinstance(outcome, AsrError))
    return Ending(source, outcome, trio.current_time() - began_s)


def _state(file: Path) -> tuple[int, int] | None:
    """What changes when it is written to; None where it is gone."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size


def _is_file(file: Path) -> bool:
    """Asked here and not in a thread: one look at a local folder is cheaper than a thread."""
    return file.is_file()


@dataclass(slots=True)
class AtWork:
    """A file at work, and when programs last heard of it."""

    source: Source
    going: Going
    at_s: float = -math.inf


def _watch(at_work: AtWork, delivery: Delivery, tally: Tally, progress: Progress) -> None:
    """There is news of a file: for those who watch, and for whoever reads the text."""
    tally.move(at_work.going, progress)
    delivery.grow(progress.segments)
    now_s = trio.current_time()
    if now_s - at_work.at_s >= TELL_EVERY_S:
        at_work.at_s = now_s
        delivery.tell(at_work.source, at_work.going, at_work.going.speed(now_s))
