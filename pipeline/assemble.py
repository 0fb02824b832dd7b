"""Hypotheses to a transcript: in order of time, within the audio, and without silence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from asr.pipeline.fallback import is_silence
from asr.pipeline.types import Hypothesis, Piece, Segment, Token, Word


@dataclass(slots=True)
class Assembly:
    """The segments of an audio of ``duration_s``, as its hypotheses come, in order of time.

    Starts and ends never run backwards, and no text is lost to that: segments overlap instead.
    """

    duration_s: float
    segments: list[Segment] = field(default_factory=list)

    def preview(self, hypotheses: Iterable[Hypothesis]) -> tuple[Segment, ...]:
        """The segments that these would add; they are kept by adding them to ``segments``."""
        added = self.segments[-1:]
        for hypothesis in hypotheses:
            for piece in _shown(hypothesis, self.duration_s):
                added.append(_next(piece, hypothesis, added[-1] if added else None))
        return tuple(added[1:] if self.segments else added)


def _next(piece: Piece, hypothesis: Hypothesis, last: Segment | None) -> Segment:
    start_s, end_s = piece.start_s, piece.end_s
    if last is not None:
        start_s, end_s = max(start_s, last.start_s), max(end_s, last.end_s)
    return _segment(piece, hypothesis, start_s=start_s, end_s=end_s)


def _shown(hypothesis: Hypothesis, duration_s: float) -> Iterator[Piece]:
    """The pieces with text and length, cut where the window ends.

    What starts past that was said of the silence that fills the window up: nobody spoke it.
    """
    if is_silence(hypothesis):
        return
    window = hypothesis.window
    earliest_s, latest_s = max(0.0, window.start_s), min(window.end_s, duration_s)
    for piece in hypothesis.pieces:
        start_s, end_s = max(piece.start_s, earliest_s), min(piece.end_s, latest_s)
        if end_s > start_s and piece.text.strip():
            yield replace(piece, start_s=start_s, end_s=end_s)


def _segment(piece: Piece, hypothesis: Hypothesis, *, start_s: float, end_s: float) -> Segment:
    return Segment(
        start_s,
        end_s,
        piece.text,
        piece.tokens,
        window_start_s=hypothesis.window.start_s,
        temperature=hypothesis.temperature,
        avg_logprob=hypothesis.avg_logprob,
        no_speech_prob=hypothesis.no_speech_prob,
        compression_ratio=hypothesis.compression_ratio,
        words=tuple(_within(word, start_s, end_s) for word in piece.words),
        said=tuple(_said(piece)),
    )


def _said(piece: Piece) -> Iterator[Token]:
    """The tokens of the text, if they are known by their bytes; timestamps have none."""
    if piece.spelled:
        for spelled, logprob in zip(piece.spelled, piece.logprobs, strict=True):
            if spelled:
                yield Token(spelled, logprob)


def _within(word: Word, start_s: float, end_s: float) -> Word:
    """The word, cut where its segment begins and ends."""
    if word.start_s is None or word.end_s is None:
        return word
    first_s, last_s = (min(max(time_s, start_s), end_s) for time_s in (word.start_s, word.end_s))
    return replace(word, start_s=first_s, end_s=last_s)
