"""The windows of an audio on their way through the decoder: group by group, heard in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.stages.decoding import InOrder
from asr.actors.trail import nobody_left, stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.ahead import Ahead
    from asr.actors.request import Heard
    from asr.actors.stages.addresses import Decoder
    from asr.actors.turns import Priority
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.types import Decoding, Window


@dataclass(slots=True)
class Groups:
    """What the windows of one audio have in common.

    ``decoding`` says how a language is decoded; ``heard`` gets each window's answer, and its
    language. That is None until it is known: it is that of the first speech, as in OpenAI's
    reference.
    """

    decoder: Decoder
    model: ModelFolder
    priority: Priority
    decoding: Callable[[str], Decoding]
    heard: Callable[[Heard, str], None]
    growing: Callable[[Growing], None] | None
    language: str | None
    count: int = 0  # windows so far
    _failed: Exception | None = field(default=None, init=False)

    async def decode(self, ahead: Ahead) -> None:
        """Return when all windows are answered. Raises what went wrong as it is, in no group."""
        room = trio.Semaphore(ahead.at_once)
        answers = InOrder(self._hear)
        async with trio.open_nursery() as nursery:
            try:
                while windows := await _next_windows(ahead, room):
                    await self._know_language(windows[0])
                    one = partial(self._decode, windows, answers, room, nursery.cancel_scope)
                    nursery.start_soon(one, self.count)
                    self.count += len(windows)
            except Exception as error:
                self._fail(error, nursery.cancel_scope)
        if self._failed is not None:
            nobody_left()
            raise self._failed

    def _hear(self, answer: Heard) -> None:
        assert self.language is not None, "it is known before anything is decoded"
        self.heard(answer, self.language)

    async def _know_language(self, window: Window) -> None:
        if self.language is None:
            with stage("decode"):
                self.language = (await self.decoder.detect(self.model, window)).language

    async def _decode(
        self,
        windows: tuple[Window, ...],
        answers: InOrder,
        room: trio.Semaphore,
        all_of_it: trio.CancelScope,
        first: int,
    ) -> None:
        """Decode a group whose first window has this place among all."""
        assert self.language is not None
        places = iter(range(first, first + len(windows)))
        try:
            with stage("decode"):
                await self.decoder.decode(
                    self.model,
                    windows,
                    self.decoding(self.language),
                    priority=self.priority,
                    heard=lambda answer: answers.put(next(places), answer),
                    growing=self.growing,
                )
        except Exception as error:
            self._fail(error, all_of_it)
        room.release()

    def _fail(self, error: Exception, all_of_it: trio.CancelScope) -> None:
        self._failed = self._failed or error
        all_of_it.cancel()


async def _next_windows(ahead: Ahead, room: trio.Semaphore) -> tuple[Window, ...]:
    await room.acquire()
    with stage("vad"):
        return await ahead.windows()
