"""From the characters of a text to its words: what the network is asked for, and what it heard put
back into words.

The rules are those of ``whispermlx.align``, if a segment is one sentence: a word ends before a
space, in Japanese and Chinese with each character; what the network has no label for stands for any
sound. Three departures: a word's text keeps the space before it, so that words join to the text; a
capital that is two characters in small letters (Turkish İ) is one here, where there it displaces
all that follow; no word leaves its segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.pipeline.types import Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asr.pipeline.align.paths import Heard

SPACELESS = frozenset({"ja", "zh"})  # whispermlx.alignment.LANGUAGES_WITHOUT_SPACES
BLANKS = ("[pad]", "<pad>")


class Alphabet(NamedTuple):
    """The labels of a network: small letters to numbers, and which of them is the blank."""

    labels: Mapping[str, int]
    blank: int

    @classmethod
    def of(cls, labels: Iterable[tuple[str, int]]) -> Alphabet:
        small = {label.lower(): number for label, number in labels}
        return cls(small, next((small[pad] for pad in reversed(small) if pad in BLANKS), 0))


class Spelling(NamedTuple):
    """What is listened for: a label for each of these places in a text, None for any sound."""

    places: tuple[int, ...]
    labels: tuple[int | None, ...]


def spell(text: str, language: str, alphabet: Alphabet) -> Spelling:
    """The characters of a text that have a sound, or might."""
    first = len(text) - len(text.lstrip())
    listened: dict[int, int | None] = {}
    for place in range(first, len(text.rstrip())):
        character = _label(text[place], language)
        label = alphabet.labels.get(character)
        if label is None and len(character) > 1:
            label = alphabet.labels.get(character[0])
        if label is not None or character not in (" ", "|"):
            listened[place] = label
    return Spelling(tuple(listened), tuple(listened.values()))


def part(text: str, language: str) -> tuple[str, ...]:
    """The words of a text, each with the space before it: they join to the text."""
    return tuple(text[first:end] for first, end in _spans(text, language))


def place_words(
    text: str,
    language: str,
    heard: Mapping[int, Heard],
    *,
    start_s: float,
    end_s: float,
    frame_s: float,
) -> tuple[Word, ...]:
    """The words of a segment's text with the times of their characters, ``heard`` by place.

    A word of which none was heard has the times of the nearest one that was, and no score.
    """
    spans = _spans(text, language)
    placed: list[Word] = []
    for first, end in spans:
        own = [heard[k] for k in range(first, end) if k in heard and text[k] != " "]
        word = Word(text[first:end])
        if own:
            starts_s = [round(one.first * frame_s + start_s, 3) for one in own]
            ends_s = [round(one.end * frame_s + start_s, 3) for one in own]
            word = Word(
                word.text,
                min(max(min(starts_s), start_s), end_s),
                max(min(max(ends_s), end_s), start_s),
                _mean([round(one.score, 3) for one in own]),
            )
        placed.append(word)
    return _fill(placed)


def _label(character: str, language: str) -> str:
    small = character.lower()
    return small if language in SPACELESS else small.replace(" ", "|")


def _spans(text: str, language: str) -> list[tuple[int, int]]:
    """Where words begin and end; space by itself goes to the word after it, at the end before."""
    spans: list[tuple[int, int]] = []
    first = 0
    for end in range(1, len(text) + 1):
        ends = language in SPACELESS or end == len(text) or text[end] == " "
        if ends and not text[first:end].isspace():
            spans.append((first, end))
            first = end
    if spans and first < len(text):
        spans[-1] = (spans[-1][0], len(text))
    return spans


def _mean(scores: Sequence[float]) -> float:
    """Added up and rounded as numpy does, for pandas and so for whispermlx."""
    return float(np.round(np.sum(scores) / len(scores), 3))


def _fill(words: Sequence[Word]) -> tuple[Word, ...]:
    """Words without times get those of the nearest with times, of two as near the earlier one's."""
    known = [k for k, word in enumerate(words) if word.start_s is not None]
    filled = list(words)
    for k, word in enumerate(words):
        if known and word.start_s is None:
            near = words[min(known, key=lambda other: abs(other - k))]
            filled[k] = Word(word.text, near.start_s, near.end_s)
    return tuple(filled)
