"""The GPU's address for one audio: windows that were decoded before are not decoded again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from asr.actors.stages.entries import Packing
from asr.actors.turns import Priority
from asr.pipeline.records import dump_detected, dump_heard, load_detected, load_heard, of_audio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asr.actors.request import Heard
    from asr.actors.stages.addresses import Decoder
    from asr.actors.stages.entries import Entries
    from asr.actors.stages.shared import Told
    from asr.pipeline.audio import Audio
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.identity import Weights
    from asr.pipeline.types import Decoding, Detected, Hypothesis, Window

LANGUAGES = Packing(dump_detected, load_detected)


class InOrder:
    """Answers that come in any order, told in their own."""

    def __init__(self, heard: Callable[[Heard], None]) -> None:
        self._heard = heard
        self._early: dict[int, Heard] = {}
        self.answers: list[Heard] = []  # those that have been told

    @property
    def head(self) -> int:
        """The place of the first that has not been told."""
        return len(self.answers)

    def put(self, place: int, answer: Heard) -> None:
        """Tell an answer, unless an earlier one is not there yet; once, should it come twice."""
        if place < self.head:
            return
        self._early[place] = answer
        while (ready := self._early.pop(self.head, None)) is not None:
            self.answers.append(ready)
            self._heard(ready)


@dataclass(frozen=True, slots=True)
class KeptDecoder:
    """As the GPU's address, for windows of ``audio``. A window is kept as it is answered.

    ``weights`` tells a model from what else has its name.
    """

    gpu: Decoder
    audio: Audio
    entries: Entries
    weights: Callable[[ModelFolder], Awaitable[Weights]]

    async def detect(self, model: ModelFolder, window: Window) -> Detected:
        """The language spoken in a window."""
        key = self.entries.keys.language(await self.weights(model), window)
        return await self.entries.ask_one(key, LANGUAGES, partial(self.gpu.detect, model, window))

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
        """What is said in the windows, told in their order.

        Text grows in the windows that are decoded for this caller; of others it hears when they are
        done.
        """
        weights = await self.weights(model)
        keys = [self.entries.keys.window(weights, window, decoding) for window in windows]
        answers = InOrder(heard)

        async def work(places: Sequence[int], told: Told[Heard], /) -> None:
            left = list(reversed(places))

            def hear(answer: Heard) -> None:
                told(left.pop(), answer)

            def grow(news: Growing) -> None:
                if growing is not None and left[-1] == answers.head:
                    growing(news)

            await self.gpu.decode(
                model,
                tuple(windows[place] for place in places),
                decoding,
                priority=priority,
                heard=hear,
                growing=grow if growing else None,
            )

        def take(place: int, answer: Heard, /) -> None:
            answers.put(place, tuple(of_audio(each, self.audio) for each in answer))

        packing = Packing(dump_heard, partial(load_heard, audio=self.audio))
        await self.entries.ask(keys, packing, work, take, rank=priority)
        assert answers.head == len(windows), "a window was not answered"
        return list(chain.from_iterable(answers.answers))
