"""A long file is decoded by several workers together: who has it shares its windows out.

Workers pull: a share is a job in a queue of its own, for which each has slots of its own, so that
files that are shared never wait for each other. Who has nothing to do itself takes shares. They go
out while speech is still being looked for; they are the smaller the less is left, and who shares
takes part itself: what nobody has begun when it has nothing else to do, what failed elsewhere, and
what a dead worker had, it does itself; what takes long elsewhere, it does as well, as MapReduce its
backup tasks (Dean and Ghemawat, 2004). So it needs nobody, and what comes out is what it would have
heard alone: a window's text depends on that window only.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from time import time
from typing import TYPE_CHECKING

import trio

from asr.actors.cluster.packing import Share, dump_share, pack_samples, unpack_answers
from asr.actors.cluster.pool import LOOK_AGAIN_S, Away, Pool, Question
from asr.actors.jobs.queue import Job, UnknownJob
from asr.actors.trail import request_id
from asr.actors.turns import Priority
from asr.pipeline.errors import AsrError
from asr.pipeline.records import load_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from asr.actors.cluster.pool import Part
    from asr.actors.house import House
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.queue import JobQueue
    from asr.actors.receiver import Receiver
    from asr.actors.request import Heard
    from asr.actors.stages.addresses import Decoder
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.types import Decoding, Detected, Hypothesis, Window

log = logging.getLogger(__name__)

# Shares that a worker does at once: together they more than fill the batch of a CPU, so that it is
# full also while an answer is on its way and the next share is not there yet.
SLOTS = 5
WINDOWS_MIN = 4  # fewer are not worth the way
SHARES_MAX = 1000  # that may wait; one that finds no place is done where it came from
PART_OF_STORE = 0.5  # no share goes where more of the room is taken: the rest is for clients' audio
GOODBYE_S = 3.0


def sharing(house: House, queue: JobQueue, blobs: Blobs, idle: Callable[[str], int]) -> House:
    """The house, with others that help it with long files.

    ``idle`` says how many others have nothing to do and have a model.
    """
    at = house.stations
    together = Sharing(at.gpu, queue, blobs, at.receiver, idle)
    return replace(house, stations=replace(at, together=together))


@dataclass(frozen=True, slots=True)
class Sharing:
    """What decoding together takes: see ``Together`` of ``transcriber.py``."""

    gpu: Decoder
    queue: JobQueue
    blobs: Blobs
    receiver: Receiver
    idle: Callable[[str], int]

    def helpers(self, model: str) -> int:
        """How many others would help with what the model is to decode now."""
        return self.idle(model)

    @asynccontextmanager
    async def file(self) -> AsyncIterator[SharingDecoder]:
        """A decoder for one file, which is done with it when the block ends.

        An error of the block's own is raised as it is, and not within a group of them.
        """
        failed: Exception | None = None
        async with trio.open_nursery() as nursery:
            try:
                yield SharingDecoder(self, nursery)
            except Exception as error:
                failed = error
            nursery.cancel_scope.cancel()
        if failed is not None:
            raise failed


@dataclass(slots=True)
class SharingDecoder:
    """As the GPU's address, for one file: windows are decoded with the helpers that there are.

    Whoever is idle when there are first windows enough helps to the end.
    """

    at: Sharing
    nursery: trio.Nursery
    pool: Pool | None = None

    async def detect(self, model: ModelFolder, window: Window) -> Detected:
        """The language spoken in a window."""
        return await self.at.gpu.detect(model, window)

    async def decode(
        self,
        model: ModelFolder,
        windows: tuple[Window, ...],
        decoding: Decoding,
        *,
        priority: Priority = Priority.INTERACTIVE,
        heard: Callable[[Heard], None] = lambda _: None,
        growing: Callable[[Growing], None] | None = None,
    ) -> list[Hypothesis]:
        """What is said in the windows, told in their order: see ``Gpu``.

        Text grows in the windows that are decoded here.
        """
        if self.pool is None and len(windows) >= WINDOWS_MIN:
            self.pool = self._opened(self.at.helpers(model.name))
        if self.pool is None:
            alone = partial(self.at.gpu.decode, priority=priority, heard=heard, growing=growing)
            return await alone(model, windows, decoding)
        question = Question(model, windows, decoding, priority, heard, growing)
        self.pool.add(question)
        try:
            await question.over()
        finally:
            self.pool.drop(question)
        return list(chain.from_iterable(question.answers.answers))

    def _opened(self, helpers: int) -> Pool | None:
        """A pool that all take of who decode this file."""
        if not helpers:
            return None
        pool = Pool(lanes=SLOTS * (helpers + 1))
        for _ in range(SLOTS * helpers):
            self.nursery.start_soon(Elsewhere(self.at, pool).run)
        for _ in range(SLOTS):
            self.nursery.start_soon(Here(self.at, pool).run)
        return pool


@dataclass(frozen=True, slots=True)
class Here:
    """A lane in which shares are decoded by this worker."""

    at: Sharing
    pool: Pool

    async def run(self) -> None:
        """Decode what there is, until cancelled."""
        while True:
            await trio.lowlevel.checkpoint()  # others first: here speech is still looked for
            if part := self.pool.take():
                with part.question.work():
                    await self._answer(part)
            elif forsaken := await self._forsaken():
                self.pool.give_back(forsaken)
            elif late := self.pool.late():
                with late.part.question.work() as late.twin:
                    await self._answer(late.part)
                self.pool.came(late)
            else:
                await self.pool.change()

    async def _answer(self, part: Part) -> None:
        began_s = trio.current_time()
        try:
            await self._decode(part)
        except AsrError as error:  # an answer
            part.question.fail(error)
        self.pool.took(trio.current_time() - began_s)

    async def _decode(self, part: Part) -> None:
        question, left = part.question, deque(part.places)

        def hear(answer: Heard) -> None:
            question.put(left.popleft(), answer)

        def grow(news: Growing) -> None:
            if question.growing and left and left[0] == question.answers.head:
                question.growing(news)

        await self.at.gpu.decode(
            question.model,
            part.windows,
            question.decoding,
            priority=question.priority,
            heard=hear,
            growing=grow if question.growing else None,
        )

    async def _forsaken(self) -> Away | None:
        """What nobody is at: what was not begun for a while, and what somebody died of."""
        for away in tuple(self.pool.away):
            if away.age_s >= LOOK_AGAIN_S and away.twin is None and await self._waits(away):
                return away
        return None

    async def _waits(self, away: Away) -> bool:
        """Whether nobody has begun it, or the queue does not say."""
        with trio.move_on_after(LOOK_AGAIN_S):
            try:
                return (await self.at.queue.standing(away.job_id)).state == "queued"
            except UnknownJob:  # it is being sent, or has come back
                return False
            except AsrError:
                pass
        return True


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A lane in which shares are decoded by whichever other worker takes them."""

    at: Sharing
    pool: Pool

    async def run(self) -> None:
        """Send what there is, until cancelled, or until a share is not done elsewhere."""
        while True:
            part = self.pool.take()
            if part is None:
                await self.pool.change()
            elif not await self._sent(part):
                return

    async def _sent(self, part: Part) -> bool:
        """Whether it was answered, or need not be; if not, it is done by another lane."""
        with part.question.work() as waiting:
            away = Away(part, waiting)
            self.pool.away.add(away)
            try:
                answers = await self._asked(away)
            except (AsrError, ValueError, OSError) as error:
                log.warning("a share is done here, as it failed elsewhere: %s", error)
            else:
                for place, answer in zip(part.places, answers, strict=True):
                    part.question.put(place, answer)
                self.pool.came(away)
                return True
        self.pool.give_back(away)
        return part.question.dropped

    async def _asked(self, away: Away) -> list[Heard]:
        """What another worker hears. Raises every kind of AsrError, and ValueError."""
        question, windows = away.part.question, away.part.windows
        audio = windows[0].audio
        times = tuple((window.start_s, window.end_s) for window in windows)
        share = Share(question.model.name, question.decoding, audio.samples, times, request_id())
        queue, blobs = self.at.queue, self.at.blobs
        try:
            with self.at.receiver.scratch(".share") as samples:
                await trio.to_thread.run_sync(pack_samples, windows, samples)
                await blobs.put(away.job_id, samples)
            job = Job(
                away.job_id,
                dump_share(share),
                lane=question.model.name,
                priority=question.priority,
            )
            await queue.submit(replace(job, durable=False, created_s=time()))
            away.since_s = trio.current_time()
            async with queue.events(away.job_id) as events:
                async for event in events:
                    if event.kind == "failed":
                        raise load_error(event.data["error"])
            answers = unpack_answers(await queue.result(away.job_id), audio)
            if len(answers) != len(windows):
                raise ValueError("not an answer to each window")
            return answers
        finally:
            for forget in (queue.forget, blobs.drop):
                with trio.move_on_after(GOODBYE_S, shield=True), suppress(AsrError, OSError):
                    await forget(away.job_id)
