"""Spans of speech to windows: what the model sees at once, never more than 30 s, never nothing."""

from collections.abc import Iterable, Iterator

from asr.pipeline.audio import SAMPLE_RATE, Audio
from asr.pipeline.fallback import is_silence
from asr.pipeline.types import Hypothesis, Span, Window

WINDOW_S = 30.0  # what the model sees at once
REST_S = 0.5  # less than this is not worth another look, and no look goes on by less


class Packer:
    """Packs spans, in order of time, into windows from a first span's start to a last one's end.

    Greedy, as whispermlx merges: a span that would make the window too long begins the next. Spans
    are cut at the end of the audio, and those longer than a window into pieces.
    """

    def __init__(self, audio: Audio, *, longest_s: float = WINDOW_S) -> None:
        self._audio = audio
        self._longest_s = longest_s
        self._open: Window | None = None  # what the next span may still be part of

    def add(self, spans: Iterable[Span]) -> Iterator[Window]:
        """The windows that these spans do not fit into any more."""
        for span in _pieces(self._audio, spans, longest_s=self._longest_s):
            start_s = self._open.start_s if self._open else span.start_s
            if self._open and span.end_s - start_s > self._longest_s:
                yield self._open
                start_s = span.start_s
            self._open = Window(self._audio, start_s, span.end_s)

    def end(self) -> Iterator[Window]:
        """The last window, once there are no more spans."""
        if self._open:
            yield self._open


def rest_of(hypothesis: Hypothesis) -> Window | None:
    """The part of the window that the model left unheard, to be decoded next; None if it is small.

    None also when the model heard silence: looking again would show the same. OpenAI's reference
    goes on by as little as the model did, and may never come to an end; here a window has at most
    60 looks.
    """
    if is_silence(hypothesis):
        return None
    window = hypothesis.window
    start_s = max(hypothesis.heard_until_s, window.start_s + REST_S)
    return Window(window.audio, start_s, window.end_s) if window.end_s - start_s > REST_S else None


def _pieces(audio: Audio, spans: Iterable[Span], *, longest_s: float) -> Iterator[Span]:
    """The spans within the audio, each of a sample at least and of ``longest_s`` at most."""
    for span in spans:
        start_s, end_s = max(0.0, span.start_s), min(span.end_s, audio.duration_s)
        while end_s - start_s > longest_s:
            yield Span(start_s, start_s + longest_s)
            start_s += longest_s
        if end_s - start_s >= 1 / SAMPLE_RATE:
            yield Span(start_s, end_s)
