"""Transcript to what clients read: one formatter for every dialect, and one table for each.

Numbers are finite, times are rounded to the millisecond, and an empty transcript is a valid empty
file or object of its format.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol

from asr.pipeline.languages import english_name
from asr.pipeline.subtitles import running_text, speaker_tsv, srt, text, tsv, vtt
from asr.pipeline.types import Segment, Transcript, Word

Granularity = Literal["word", "segment"]

PLAIN = "text/plain; charset=utf-8"
FRAMES_PER_SECOND = 100  # of Whisper's spectrogram, in which OpenAI counts ``seek``


class Writer(Protocol):
    """Writes a transcript as text; ``speakers`` puts "[SPEAKER_00] " in front of the lines."""

    def __call__(self, transcript: Transcript, *, speakers: bool = False) -> str: ...


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format that is text: how to write it, a file's extension, and its content type."""

    write: Writer
    extension: str
    content_type: str = PLAIN


# /asr with plain bodies, and the command line.
CLASSIC: Mapping[str, TextFormat] = MappingProxyType(
    {
        "txt": TextFormat(text, "txt"),
        "text": TextFormat(text, "txt"),
        "srt": TextFormat(srt, "srt"),
        "vtt": TextFormat(vtt, "vtt"),
        "tsv": TextFormat(tsv, "tsv"),
    }
)

# /asr with bodies wrapped in an object whose key is the format's name.
WRAPPED: Mapping[str, TextFormat] = MappingProxyType(
    {**CLASSIC, "tsv": TextFormat(speaker_tsv, "tsv")}
)

# /v1/audio.
OPENAI: Mapping[str, TextFormat] = MappingProxyType(
    {
        "text": TextFormat(running_text, "txt"),
        "srt": TextFormat(srt, "srt"),
        "vtt": TextFormat(vtt, "vtt", "text/vtt; charset=utf-8"),
    }
)


def asr_json(transcript: Transcript, *, listed: bool) -> dict[str, Any]:
    """The object of /asr; ``listed`` makes ``text`` the list of segments, as wrapped clients read.

    ``language`` is the code that was spoken, also when the text was translated.
    """
    worded = any(segment.words for segment in transcript.segments)
    segments = [
        _asr_segment(number, segment, worded=worded)
        for number, segment in enumerate(transcript.segments)
    ]
    return {
        "text": segments if listed else transcript.text,
        "language": transcript.language,
        "segments": segments,
        "word_segments": [_word(word) for s in transcript.segments for word in s.words],
        "warnings": list(transcript.warnings),
    }


def openai_json(transcript: Transcript) -> dict[str, Any]:
    """The object of /v1/audio for ``json``."""
    return {"text": transcript.text, "usage": _usage(transcript)}


def verbose_json(
    transcript: Transcript, granularities: Collection[Granularity] = ()
) -> dict[str, Any]:
    """The object of /v1/audio for ``verbose_json``; no granularity means segments.

    With words alone there is no ``segments`` key at all: an empty list breaks clients. Words that
    could not be placed are in ``text`` only: clients demand times of every word.
    """
    language = "en" if transcript.task == "translate" else transcript.language
    answer: dict[str, Any] = {
        "task": transcript.task,
        "language": english_name(language),
        "language_code": language,
        "duration": _time(transcript.duration_s),
        "text": transcript.text,
    }
    if "word" in granularities:
        answer["words"] = _openai_words(transcript)
    if "segment" in granularities or not granularities:
        answer["segments"] = [_openai_segment(i, s) for i, s in enumerate(transcript.segments)]
    return {**answer, "usage": _usage(transcript)}


def _usage(transcript: Transcript) -> dict[str, Any]:
    """OpenAI bills whole seconds, begun ones too."""
    return {"type": "duration", "seconds": math.ceil(transcript.duration_s)}


def _asr_segment(number: int, segment: Segment, *, worded: bool) -> dict[str, Any]:
    """One segment; once any segment has words, all have the key, so that clients can just loop."""
    return {
        "id": number,
        "start": _time(segment.start_s),
        "end": _time(segment.end_s),
        "text": segment.text,
        **({"speaker": segment.speaker} if segment.speaker else {}),
        **({"words": [_word(word) for word in segment.words]} if worded else {}),
        **_measures(segment),
    }


def _openai_segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": round(segment.window_start_s * FRAMES_PER_SECOND),
        "start": _time(segment.start_s),
        "end": _time(segment.end_s),
        "text": segment.text,
        **_measures(segment),
    }


def _measures(segment: Segment) -> dict[str, Any]:
    return {
        "tokens": list(segment.tokens),
        "temperature": _finite(segment.temperature),
        "avg_logprob": _finite(segment.avg_logprob),
        "compression_ratio": _finite(segment.compression_ratio),
        "no_speech_prob": _finite(segment.no_speech_prob),
    }


def _word(word: Word) -> dict[str, Any]:
    """One word; what is not known has no key. ``probability`` is the score's classic name."""
    known: dict[str, Any] = {"word": word.text}
    if word.start_s is not None and word.end_s is not None:
        known |= {"start": _time(word.start_s), "end": _time(word.end_s)}
    if word.score is not None:
        known |= {"score": _finite(word.score), "probability": _finite(word.score)}
    return known | ({"speaker": word.speaker} if word.speaker else {})


def _openai_words(transcript: Transcript) -> list[dict[str, Any]]:
    return [
        {"word": word.text.strip(), "start": _time(word.start_s), "end": _time(word.end_s)}
        for segment in transcript.segments
        for word in segment.words
        if word.start_s is not None and word.end_s is not None
    ]


def _time(seconds: float) -> float:
    return round(seconds, 3)


def _finite(value: float) -> float:
    """JSON knows no NaN and no infinity; clients demand a number."""
    return value if math.isfinite(value) else 0.0
