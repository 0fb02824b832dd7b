"""What a request hears of its windows, put together and told on, so that nothing is told twice.

Pure: no await, no clock, no trio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from asr.pipeline.assemble import Assembly
from asr.pipeline.fallback import is_promising
from asr.pipeline.types import Progress, Segment

if TYPE_CHECKING:
    from asr.actors.request import Heard
    from asr.pipeline.audio import Audio
    from asr.pipeline.engine import Growing

Notify = Callable[[Progress], None]


class Ear:
    """Hears windows in order of time, and tells how far that is and which segments are news.

    What was told is not taken back. Should a window be decoded again after some of it was told,
    that stays, and the new text goes on where it ends: all that is told together is the transcript.
    """

    def __init__(self, audio: Audio, notify: Notify) -> None:
        self.heard = Assembly(audio.duration_s)
        self.prompt_cut = False  # whether the model saw only the end of the prompt
        self._done_s = 0.0
        self._diarized = 1.0  # the share of it; all, unless somebody is at it
        self._told: tuple[Segment, ...] = ()  # of the window that is not answered yet
        self._notify = notify

    def grow(self, growing: Growing) -> None:
        """Tell what is likely to stay of a window that is still being decoded."""
        *believed, unfinished = growing.parts
        if not is_promising(unfinished):
            return
        # The last piece waits for the next: what goes round in circles is seen through by then.
        settled = replace(unfinished, pieces=unfinished.pieces[:-1])
        so_far = self.heard.preview((*believed, settled))
        news = so_far[len(self._told) :]
        if news and _begins_with(so_far, self._told):
            self._told = so_far
            self._done_s = max(self._done_s, so_far[-1].end_s)
            self._tell(news)

    def hear(self, answer: Heard) -> tuple[Segment, ...]:
        """Take in a window that is answered, its first hypothesis is of all of it: its segments."""
        self._done_s = answer[0].window.end_s
        self.prompt_cut = self.prompt_cut or answer[0].prompt_cut
        segments = self.heard.preview(answer)
        if not _begins_with(segments, self._told):
            end_s = self._told[-1].end_s
            later = (segment for segment in segments if segment.start_s >= end_s)
            segments = (*self._told, *later)
        self.heard.segments += segments
        news, self._told = segments[len(self._told) :], ()
        self._tell(news)
        return segments

    def diarized(self, share: float) -> None:
        """So much of the audio is known by who speaks: no more is done than that."""
        self._diarized = share
        self._tell(())

    def end(self) -> None:
        """Nothing more is spoken."""
        self._done_s = self.heard.duration_s
        self._tell(())

    def _tell(self, news: tuple[Segment, ...]) -> None:
        total_s = self.heard.duration_s
        self._notify(Progress(min(self._done_s, self._diarized * total_s), total_s, news))


def _begins_with(segments: tuple[Segment, ...], told: tuple[Segment, ...]) -> bool:
    """Whether segments begin with the text that was told. Times may be measured better since:
    once a window has its words, its segments begin and end with theirs.
    """
    if len(segments) < len(told):
        return False
    return all(one.text == other.text for one, other in zip(segments, told, strict=False))
