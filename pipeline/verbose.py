"""A ``verbose_json`` read back: the transcript that it was made of, corrected by whoever had it.

Words stand beside the segments there, without spaces, and only those that have their place in the
audio. Each is looked for in the text of its segment; what else is said there has no times.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from asr.pipeline.errors import InvalidRequest
from asr.pipeline.types import Segment, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

M = TypeVar("M", bound=BaseModel)

SEGMENTS_MAX = 100_000  # ten hours have a tenth of them
WORDS_MAX = 1_000_000
SEGMENT_CHARACTERS_MAX = 20_000
WORD_CHARACTERS_MAX = 1000
SPEAKER_CHARACTERS_MAX = 100

# How many words of a segment may have been taken out in a row, for the next ones to be found again.
AHEAD_MAX = 20

WITH_SPACE = re.compile(r"\s*\S+")

# Names are free text, but for what ends a line or a cell.
Speaker = Annotated[
    str,
    Field(
        max_length=SPEAKER_CHARACTERS_MAX,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$",
        description="A label, or a name: a line of text",
        examples=["SPEAKER_00", "Ada"],
    ),
]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Measure = Annotated[float, Field(allow_inf_nan=False)]


class WordSaid(BaseModel):
    """A word and when it was said."""

    word: Annotated[str, Field(max_length=WORD_CHARACTERS_MAX)]
    start: Seconds
    end: Seconds
    speaker: Speaker | None = None


class SegmentSaid(BaseModel):
    """A line of the transcript; its measures are handed on."""

    start: Seconds
    end: Seconds
    text: Annotated[str, Field(max_length=SEGMENT_CHARACTERS_MAX)]
    speaker: Speaker | None = None
    seek: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    tokens: Annotated[tuple[int, ...], Field(max_length=SEGMENT_CHARACTERS_MAX)] = ()
    temperature: Annotated[Measure, Field(ge=0)] = 0.0
    avg_logprob: Measure = 0.0
    compression_ratio: Annotated[Measure, Field(ge=0)] = 0.0
    no_speech_prob: Annotated[Measure, Field(ge=0, le=1)] = 0.0


class About(BaseModel):
    """What a verbose_json says of the whole."""

    language_code: Annotated[str, Field(pattern="^[a-z]{2,3}$")] = "en"
    task: Literal["transcribe", "translate"] = "transcribe"
    duration: Seconds | None = None


class Said(About):
    """A verbose_json with its segments; what else stands in it is passed over."""

    segments: Annotated[tuple[SegmentSaid, ...], Field(max_length=SEGMENTS_MAX)]
    words: Annotated[tuple[WordSaid, ...], Field(max_length=WORDS_MAX)] = ()


def read_verbose_json(value: object, *, param: str) -> Transcript:
    """The transcript in a decoded JSON value; segments are in order of time then.

    Raises InvalidRequest, which names the field below ``param`` that is wrong.
    """
    about = _checked(About, value, param)
    lists = value if isinstance(value, dict) else {}
    said = _each(SegmentSaid, lists.get("segments"), SEGMENTS_MAX, f"{param}.segments")
    heard = _each(WordSaid, lists.get("words") or [], WORDS_MAX, f"{param}.words")
    words = deque(sorted(heard, key=_middle_s))
    segments = tuple(
        _segment(segment, tuple(_up_to(words, segment.end)))
        for segment in sorted(said, key=lambda segment: segment.start)
    )
    ends_s = max((segment.end_s for segment in segments), default=0.0)
    return Transcript(about.language_code, about.task, about.duration or ends_s, segments)


def _each(model: type[M], values: object, most: int, param: str) -> list[M]:
    """The items of a list, one by one: other threads have to wait for each call."""
    if not isinstance(values, list):
        raise InvalidRequest(f"{param}: must be a list", param=param)
    if len(values) > most:
        raise InvalidRequest(f"{param}: {most} at most, not {len(values)}", param=param)
    return [_checked(model, value, f"{param}.{at}") for at, value in enumerate(values)]


def _checked(model: type[M], value: object, param: str) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, (param, *wrong["loc"])))
        raise InvalidRequest(f"{where}: {wrong['msg']}", param=where) from None


def _middle_s(word: WordSaid) -> float:
    return (word.start + word.end) / 2


def _up_to(words: deque[WordSaid], end_s: float) -> Iterator[WordSaid]:
    while words and _middle_s(words[0]) <= end_s:
        yield words.popleft()


def _segment(said: SegmentSaid, words: Sequence[WordSaid]) -> Segment:
    return Segment(
        start_s=said.start,
        end_s=max(said.start, said.end),
        text=said.text,
        tokens=said.tokens,
        window_start_s=said.seek / 100,
        temperature=said.temperature,
        avg_logprob=said.avg_logprob,
        no_speech_prob=said.no_speech_prob,
        compression_ratio=said.compression_ratio,
        words=tuple(_as_they_were(said.text, words) or _as_corrected(said, words)),
        speaker=said.speaker,
    )


def _as_they_were(text: str, words: Sequence[WordSaid]) -> list[Word]:
    """The words with what is around them in the text; none unless they are all of it."""
    found: list[Word] = []
    at = 0
    for word in words:
        start = text.find(word.word, at)
        if start < 0 or text[at:start].strip() or not word.word:
            return []
        end = start + len(word.word)
        found.append(_placed(text[at:end], word))
        at = end
    return [] if text[at:].strip() else found


def _as_corrected(said: SegmentSaid, words: Sequence[WordSaid]) -> Iterator[Word]:
    """The words of the text, with times where they are still those that were heard."""
    if not words:
        return
    left = deque((_bare(word.word), word) for word in words)
    # Without the spaces at the end: from each of them the pattern would look for a word in vain.
    for text in WITH_SPACE.findall(said.text.rstrip()):
        wanted = _bare(text)
        ahead = enumerate(islice(left, AHEAD_MAX))
        at = next((at for at, (bare, _) in ahead if bare == wanted != ""), None)
        if at is None:
            yield Word(text, speaker=said.speaker)
            continue
        for _ in range(at):
            left.popleft()
        yield _placed(text, left.popleft()[1])


def _bare(word: str) -> str:
    """A word as it sounds: without case and punctuation."""
    return "".join(filter(str.isalnum, word)).casefold()


def _placed(text: str, word: WordSaid) -> Word:
    return Word(text, word.start, max(word.start, word.end), None, word.speaker)
