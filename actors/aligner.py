"""The aligner: the worker that tells when words are spoken."""

from asr.actors.worker import Worker
from asr.pipeline.errors import AlignmentUnavailable, EngineRestarted
from asr.pipeline.speakers import Align
from asr.pipeline.types import Segment


class Aligner(Worker[Align, tuple[Segment, ...]]):
    """Where to reach the aligner."""

    async def align(self, question: Align) -> tuple[Segment, ...]:
        """The segments, each with its words and when they are spoken.

        Leaving early is how a caller says never mind. Raises AlignmentUnavailable or
        NotEnoughMemory.
        """
        # A step has a segment at least, or is on the way to one.
        steps_max = 2 * len(question.segments) + 16
        aligned: list[Segment] = []
        try:
            async with self.ask(question, answers_max=steps_max) as steps:
                async for segments in steps:
                    aligned += segments
        except EngineRestarted:
            raise AlignmentUnavailable(f"the aligner {self.trouble}") from None
        if len(aligned) != len(question.segments):
            raise AlignmentUnavailable("the aligner lost segments")
        return tuple(aligned)
