"""Spans of speech to windows: what the model sees at once, never more than 30 s, never nothing."""

from collections.abc import Iterable, Iterator

from asr.pipeline.audio import SAMPLE_RATE, Audio
from asr.pipeline.fallback import is_silence
from asr.pipeline.types import Hypothesis, Span, Window

WINDOW_S = 30.0  # what the model sees at once
REST_S = 0.5  # less than this is not worth another look, and no look goes on by less


def cut(audio: Audio, spans: Iterable[Span], *, longest_s: float = WINDOW_S) -> tuple[Window, ...]:
    """Pack spans, in order of time, into windows from a first span's start to a last one's end.

    Greedy, as whispermlx merges: a span that would make the window too long begins the next. Spans
    are cut at the end of the audio, and those longer than a window into pieces.
    """
    windows: list[Window] = []
    for span in _pieces(audio, spans, longest_s=longest_s):
        if windows and span.end_s - windows[-1].start_s <= longest_s:
            windows[-1] = Window(audio, windows[-1].start_s, span.end_s)
        else:
            windows.append(Window(audio, span.start_s, span.end_s))
    return tuple(windows)


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
