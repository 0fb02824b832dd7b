"""The listener: the worker that finds speech, with the voice activity network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil

from asr.actors.worker import Answers, Worker
from asr.pipeline.audio import Audio
from asr.pipeline.types import Found


@dataclass(frozen=True, slots=True)
class Speech:
    """What is found of an audio, block by block and in order of time."""

    _answers: Answers[Found]
    _audio: Audio

    @property
    def waiting(self) -> bool:
        """Whether there is more that has not been looked at."""
        return self._answers.waiting

    async def more(self) -> Found:
        """What was found next; nothing comes after what is done. Raises EngineRestarted."""
        nothing = Found((), self._audio.duration_s, done=True)  # there was not a sample in it
        return await anext(self._answers, nothing)


class Listener(Worker[Audio, Found]):
    """Where to reach the listener."""

    @asynccontextmanager
    async def find_speech(self, audio: Audio) -> AsyncIterator[Speech]:
        """Have an audio heard; leaving the context ends that. Raises EngineRestarted."""
        blocks_max = ceil(audio.duration_s) + 2  # a block is a second at least
        async with self.ask(audio, answers_max=blocks_max) as answers:
            yield Speech(answers, audio)
