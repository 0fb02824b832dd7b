"""Transcript to what clients read: one formatter for every dialect, and one table for each.

Numbers are finite, times are rounded to the millisecond, and an empty transcript is a valid empty
file or object of its format.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from asr.pipeline.cues import AS_SEGMENTS
from asr.pipeline.languages import english_name
from asr.pipeline.letters import lettered
from asr.pipeline.subtitles import running_text, speaker_tsv, srt, text, tsv, vtt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from asr.pipeline.cues import Layout
    from asr.pipeline.types import Segment, Token, Transcript, Word

Granularity = Literal["word", "segment"]

PLAIN = "text/plain; charset=utf-8"
VTT = "text/vtt; charset=utf-8"
FRAMES_PER_SECOND = 100  # of Whisper's spectrogram, in which OpenAI counts ``seek``
VERY_UNLIKELY = -9999.0  # OpenAI's number where a log-probability has none

# After the point. A window's mean depends on how many rows share its batch, by 4e-7 on a CPU (9e-7
# at most, of 8 windows): rounded like this, that shows in one window of some thousand.
LOGPROB_DIGITS = 3

VOICE_DIGITS = 8  # after the point: more than the float32 that a voice is made of


class Writer(Protocol):
    """Writes a transcript as text; ``speakers`` puts "[SPEAKER_00] " in front of the lines.

    ``layout`` is for formats that have cues; the others ignore it.
    """

    def __call__(
        self, transcript: Transcript, *, speakers: bool = False, layout: Layout = AS_SEGMENTS
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format that is text: how to write it, a file's extension, and its content type.

    ``has_cues``: it can be laid out.
    """

    write: Writer
    extension: str
    content_type: str = PLAIN
    has_cues: bool = False


# /asr with plain bodies, and the command line.
CLASSIC: Mapping[str, TextFormat] = MappingProxyType(
    {
        "txt": TextFormat(text, "txt"),
        "text": TextFormat(text, "txt"),
        "srt": TextFormat(srt, "srt", has_cues=True),
        "vtt": TextFormat(vtt, "vtt", has_cues=True),
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
        "srt": TextFormat(srt, "srt", has_cues=True),
        "vtt": TextFormat(vtt, "vtt", VTT, has_cues=True),
    }
)


# /v1/format: as files that people keep.
FILES: Mapping[str, TextFormat] = MappingProxyType(
    {name: CLASSIC[name] for name in ("txt", "srt", "tsv")} | {"vtt": OPENAI["vtt"]}
)


def asr_json(transcript: Transcript, *, listed: bool, embeddings: bool = False) -> dict[str, Any]:
    """The object of /asr; ``listed`` makes ``text`` the list of segments, as wrapped clients read.

    ``language`` is the code that was spoken, also when the text was translated. ``embeddings``
    adds the voices of the speakers that occur, and which model made them; ``warnings`` names whose
    there is none of.
    """
    voices, voiceless = _voices(transcript) if embeddings else ({}, ())
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
        **voices,
        "warnings": [*transcript.warnings, *voiceless],
    }


def _voices(transcript: Transcript) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A vector for each label of a segment, and a warning for each that has none."""
    heard = transcript.diarization
    if heard is None:
        return {"speaker_embeddings": {}}, ()
    labels = dict.fromkeys(s.speaker for s in transcript.segments if s.speaker)
    voices = {
        label: [round(_finite(value), VOICE_DIGITS) for value in heard.voices[label]]
        for label in sorted(labels)
        if label in heard.voices
    }
    model = {"embedding_model": heard.voice_model} if voices else {}
    warnings = (
        f"there is no embedding of {label}: too little of that voice is heard alone"
        for label in labels
        if label not in voices
    )
    return {"speaker_embeddings": voices, **model}, tuple(warnings)


def openai_json(transcript: Transcript, *, logprobs: bool = False) -> dict[str, Any]:
    """The object of /v1/audio for ``json``; ``logprobs`` adds those of the text's tokens."""
    said = (token for segment in transcript.segments for token in segment.said)
    return {
        "text": transcript.text,
        **({"logprobs": openai_logprobs(said)} if logprobs else {}),
        **_ending(transcript),
    }


def openai_logprobs(said: Iterable[Token]) -> list[dict[str, Any]]:
    """Tokens in OpenAI's words. What is no text by itself, half a letter, shows as U+FFFD."""
    return [
        {
            "token": token.bytes.decode(errors="replace"),
            "logprob": token.logprob if math.isfinite(token.logprob) else VERY_UNLIKELY,
            "bytes": list(token.bytes),
        }
        for token in said
    ]


def diarized_json(transcript: Transcript) -> dict[str, Any]:
    """The object of /v1/audio for ``diarized_json``; each segment is one of its stream's events.

    A segment must have a speaker there, so where nobody was told apart there is an "A" only, and
    ``warnings`` say why.
    """
    return {
        "task": transcript.task,
        "duration": _time(transcript.duration_s),
        "text": transcript.text,
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": f"seg_{number:03}",
                "start": _time(segment.start_s),
                "end": _time(segment.end_s),
                "text": segment.text,
                "speaker": segment.speaker,
            }
            for number, segment in enumerate(lettered(transcript).segments, 1)
        ],
        **_ending(transcript),
    }


def verbose_json(
    transcript: Transcript, granularities: Collection[Granularity] = ()
) -> dict[str, Any]:
    """The object of /v1/audio for ``verbose_json``; no granularity means segments.

    With words alone there is no ``segments`` key at all: an empty list breaks clients. Words that
    could not be placed are in ``text`` only: clients demand times of every word. Once speakers are
    told apart, whoever is known is named beside each segment and word.
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
    return answer | _ending(transcript)


def _ending(transcript: Transcript) -> dict[str, Any]:
    """What ends OpenAI's objects. It bills whole seconds, begun ones too; warnings are ours."""
    usage = {"type": "duration", "seconds": math.ceil(transcript.duration_s)}
    warnings = {"warnings": list(transcript.warnings)} if transcript.warnings else {}
    return {"usage": usage, **warnings}


def _asr_segment(number: int, segment: Segment, *, worded: bool) -> dict[str, Any]:
    """One segment; once any segment has words, all have the key, so that clients can just loop."""
    return {
        "id": number,
        "start": _time(segment.start_s),
        "end": _time(segment.end_s),
        "text": segment.text,
        **_speaker(segment),
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
        **_speaker(segment),
        **_measures(segment),
    }


def _speaker(said: Segment | Word) -> dict[str, str]:
    """Who says it, if that is known."""
    return {"speaker": said.speaker} if said.speaker else {}


def _measures(segment: Segment) -> dict[str, Any]:
    return {
        "tokens": list(segment.tokens),
        "temperature": _finite(segment.temperature),
        "avg_logprob": round(_finite(segment.avg_logprob), LOGPROB_DIGITS),
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
    return known | _speaker(word)


def _openai_words(transcript: Transcript) -> list[dict[str, Any]]:
    return [
        {
            "word": word.text.strip(),
            "start": _time(word.start_s),
            "end": _time(word.end_s),
            **_speaker(word),
        }
        for segment in transcript.segments
        for word in segment.words
        if word.start_s is not None and word.end_s is not None
    ]


def _time(seconds: float) -> float:
    return round(seconds, 3)


def _finite(value: float) -> float:
    """JSON knows no NaN and no infinity; clients demand a number."""
    return value if math.isfinite(value) else 0.0
