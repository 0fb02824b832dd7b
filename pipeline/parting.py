"""A segment in parts: its text, its words and its tokens, each once and in order."""

from __future__ import annotations

from bisect import bisect_right
from codecs import getincrementaldecoder
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asr.pipeline.types import Segment, Token, Word

T = TypeVar("T")

SPECIAL_FIRST = 50_257  # of Whisper's tokens: before it is text, from there on are timestamps


class Part(NamedTuple):
    """A share of a segment: the character it begins with, from when to when, and by whom."""

    first: int
    start_s: float
    end_s: float
    speaker: str | None


def cut(segment: Segment, parts: Sequence[Part]) -> Iterator[Segment]:
    """The segment in parts, which are in order; the first begins with the first character.

    A word or a token goes where it begins, a timestamp with the text after it, the last one with
    the text before it. Where the bytes of tokens are not known, each is taken to be as much text
    as the others. A word's speaker, if it has one, is its part's.
    """
    firsts = [part.first for part in parts]
    words = _share(segment.words, _word_places(segment), firsts)
    tokens = _share(segment.tokens, _token_places(segment), firsts)
    said = _share(segment.said, _text_places(segment, len(segment.said)), firsts)
    bounds = pairwise([*firsts, len(segment.text)])
    for at, (part, (first, last)) in enumerate(zip(parts, bounds, strict=True)):
        yield replace(
            segment,
            start_s=part.start_s,
            end_s=part.end_s,
            text=segment.text[first:last],
            tokens=tokens[at],
            words=tuple(_said_by(word, part.speaker) for word in words[at]),
            speaker=part.speaker,
            said=said[at],
        )


def find_words(text: str, words: Iterable[Word]) -> Iterator[int | None]:
    """Where in a text each of its words begins, without the space before it; None if nowhere."""
    at = 0
    for word in words:
        spelled = word.text.strip()
        first = text.find(spelled, at) if spelled else -1
        if first >= 0:
            at = first + len(spelled)
        yield first if first >= 0 else None


def _said_by(word: Word, speaker: str | None) -> Word:
    """The word, as this speaker's if it has one. Nearly all are: those are left as they are."""
    return word if word.speaker in (None, speaker) else replace(word, speaker=speaker)


def _share(items: Sequence[T], places: Iterable[int], firsts: Sequence[int]) -> list[tuple[T, ...]]:
    """The items of each part, given the character at which each begins."""
    shares: list[list[T]] = [[] for _ in firsts]
    for item, place in zip(items, places, strict=True):
        shares[bisect_right(firsts, place) - 1].append(item)
    return [tuple(share) for share in shares]


def _word_places(segment: Segment) -> Iterator[int]:
    """Where words begin; one that is nowhere is with the one before it."""
    last = 0
    for first in find_words(segment.text, segment.words):
        last = last if first is None else first
        yield last


def _token_places(segment: Segment) -> Iterator[int]:
    """Where tokens begin; a timestamp is where the next text is, the last one at the end."""
    texts = sum(token < SPECIAL_FIRST for token in segment.tokens)
    places = iter([*_text_places(segment, texts), len(segment.text)])
    place = next(places)
    for token in segment.tokens:
        yield place
        if token < SPECIAL_FIRST:
            place = next(places)


def _text_places(segment: Segment, tokens: int) -> list[int]:
    """Where each of so many tokens of the text begins: by their bytes, or as if all were alike."""
    if len(segment.said) == tokens and _is_spelled(segment.said, segment.text):
        return list(_begins(segment.said))
    return [at * len(segment.text) // tokens for at in range(tokens)]


def _is_spelled(said: Sequence[Token], text: str) -> bool:
    return b"".join(token.bytes for token in said).decode(errors="replace") == text


def _begins(said: Iterable[Token]) -> Iterator[int]:
    """The character that each token begins with, or goes on with."""
    decoder = getincrementaldecoder("utf-8")(errors="replace")
    at = 0
    for token in said:
        yield at
        at += len(decoder.decode(token.bytes))
