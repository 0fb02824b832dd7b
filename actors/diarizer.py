"""The diarizer: the worker that tells who speaks when."""

from collections.abc import Callable
from math import ceil

from asr.actors.worker import Worker
from asr.pipeline.errors import EngineRestarted, SpeakersUnavailable
from asr.pipeline.speakers import Diarization, Diarize, Diarized


class Diarizer(Worker[Diarize, Diarized]):
    """Where to reach the diarizer."""

    async def diarize(self, question: Diarize, *, progress: Callable[[float], None]) -> Diarization:
        """Who speaks when; ``progress`` is told the share that is done, from 0 to 1.

        Leaving early is how a caller says never mind. Raises SpeakersUnavailable or
        NotEnoughMemory.
        """
        # A step is at least a second, and audio is gone through twice: for turns and for voices.
        audios = (question.audio, *(clip.audio for clip in question.known))
        steps_max = sum(2 * ceil(audio.duration_s) + 16 for audio in audios)
        diarization: Diarization | None = None
        try:
            async with self.ask(question, answers_max=steps_max) as steps:
                async for step in steps:
                    progress(step.done)
                    diarization = step.result
        except EngineRestarted:
            raise SpeakersUnavailable(f"the diarizer {self.trouble}") from None
        if diarization is None:
            raise SpeakersUnavailable("the diarizer came to no result")
        return diarization
