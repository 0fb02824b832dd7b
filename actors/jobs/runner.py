"""Does jobs: fetches their audio, has the house transcribe it, and tells how that goes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.jobs.order import load_work
from asr.actors.trail import Trail, begin, note, untold
from asr.pipeline.errors import (
    AsrError,
    Busy,
    DeadlineExceeded,
    EngineRestarted,
    ModelUnavailable,
    StorageFull,
)
from asr.pipeline.records import dump_transcript
from asr.pipeline.waveform import Waveform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr.actors.house import House
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.order import Order
    from asr.actors.jobs.queue import Handler, Run
    from asr.actors.stages.keep import Keep
    from asr.actors.watch import News
    from asr.pipeline.types import Progress, Segment, Transcript

log = logging.getLogger(__name__)

# What may be otherwise a little later, and how long a job waits for that, each time.
PASSING = (Busy, EngineRestarted, ModelUnavailable, StorageFull)
WAITS_S = (2.0, 10.0, 60.0)


@dataclass(frozen=True, slots=True)
class JobRunner:
    """The handler of jobs: see ``Handler`` of ``queue.py``. ``told`` hears of trails at their end.

    ``deadline_s`` bounds the work on each.
    """

    house: House
    blobs: Blobs
    keep: Keep
    deadline_s: float
    told: Callable[[Trail], None] = untold

    async def __call__(self, run: Run, /) -> bytes:
        """The transcript, as ``records.py`` writes it. Raises every kind of AsrError."""
        try:
            work = load_work(run.job)
        except ValueError:
            raise AsrError("The job was made by another version of this server") from None
        trail = Trail(run.job.id)
        self.keep.begin(run.job.id)
        with begin(trail):
            note(tries=run.tries)
            run.tell("started", {"tries": run.tries})
            try:
                result = await self._done(run, trail, work.order, run.job.label["audio"])
            finally:
                self._tell_end(trail)
        await self.keep.flush()
        return result

    def _tell_end(self, trail: Trail) -> None:
        """The work is over, however it ended: its line, its numbers, its spans."""
        trail.ended_s = trio.current_time()
        took_s = trail.ended_s - trail.began_s
        stages = {name: round(each.busy_s, 3) for name, each in trail.stages.items()}
        facts = {**trail.facts, "seconds": round(took_s, 3), "stages": stages}
        log.info("job %s was worked on for %.3f s", trail.id, took_s, extra=facts)
        self.house.metrics.walked(trail)
        self.told(trail)

    async def _done(self, run: Run, trail: Trail, order: Order, audio: str) -> bytes:
        teller = Teller(run, trail)
        with trio.move_on_after(self.deadline_s):
            transcript = await self._transcript(run, order, audio, teller)
            said = replace(transcript, warnings=(*transcript.warnings, *order.remarks))
            teller.end(said)
            return await trio.to_thread.run_sync(dump_transcript, said)
        raise DeadlineExceeded(self.deadline_s)

    async def _transcript(self, run: Run, order: Order, audio: str, teller: Teller) -> Transcript:
        """The transcript, tried again where what went wrong may pass."""
        for wait_s in WAITS_S:
            try:
                return await self._once(run, order, audio, teller)
            except PASSING as error:
                log.warning("job %s waits %g s: %s", run.job.id, wait_s, error.message)
                teller.begin_again()
            await trio.sleep(wait_s)
        return await self._once(run, order, audio, teller)

    async def _once(self, run: Run, order: Order, audio: str, teller: Teller) -> Transcript:
        async with self.blobs.open(audio) as file:
            return await self.house.transcribe(
                file,
                replace(order.options, model=order.model),
                client=run.job.client,
                raw=order.raw,
                priority=run.job.priority,
                notify=teller.hear,
                watch=teller.watch,
                job=run.job.id,
            )


@dataclass(frozen=True, slots=True)
class Guarded:
    """A handler whose bugs cost the job that met them, and not the worker with all its jobs."""

    handler: Handler

    async def __call__(self, run: Run, /) -> bytes:
        """What the handler returns; AsrError for whatever it raises."""
        try:
            return await self.handler(run)
        except AsrError:
            raise
        except Exception as error:
            log.exception("job %s failed", run.job.id)
            message = f"Internal error: the server's log has it under {run.job.id}"
            raise AsrError(message) from error


class Teller:
    """Makes events of what is heard of a job. What earlier tries have told is not told again."""

    def __init__(self, run: Run, trail: Trail) -> None:
        self._run = run
        self._trail = trail
        self._told = run.told.get("segment", 0)  # segments: the same come again, in their order
        self._heard = 0
        self._drawn = run.told.get("waveform", 0) > 0
        self._progress: Mapping[str, Any] = {}

    def begin_again(self) -> None:
        """All of it will be heard once more."""
        self._heard = 0

    def hear(self, progress: Progress) -> None:
        """More has become known of the text."""
        for segment in progress.segments:
            if self._heard == self._told:
                self._run.tell("segment", shown(segment, self._heard))
                self._told += 1
            self._heard += 1

    def watch(self, news: News) -> None:
        """It stands elsewhere now, or its audio can be seen."""
        if not isinstance(news, Waveform):
            self._tell(
                state=news.state,
                place=news.place,
                done_s=round(news.done_s, 3),
                audio_s=None if news.audio_s is None else round(news.audio_s, 3),
                left_s=None if news.left_s is None else round(news.left_s, 1),
            )
        elif not self._drawn:
            self._drawn = True
            drawn = {"duration": round(news.duration_s, 3), "peaks": list(news.peaks)}
            self._run.tell("waveform", drawn)

    def end(self, transcript: Transcript) -> None:
        """That was all of it."""
        self._tell(
            state="finished",
            done_s=round(transcript.duration_s, 3),
            audio_s=round(transcript.duration_s, 3),
            left_s=0.0,
            language=transcript.language,
            warnings=list(transcript.warnings),
            stages={name: round(at.busy_s, 3) for name, at in self._trail.stages.items()},
        )

    def _tell(self, **news: Any) -> None:
        self._progress = {**self._progress, **news}
        self._run.tell("progress", self._progress)


def shown(segment: Segment, index: int) -> dict[str, Any]:
    """A segment as an event has it."""
    return {
        "index": index,
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.text,
    }
