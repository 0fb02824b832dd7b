"""Words: spelled from tokens, given the times that were found, and put back into their pieces.

The rules are those of OpenAI's reference (``whisper/timing.py`` and ``whisper/tokenizer.py``), with
three departures. Words are spelled piece by piece, so that those of a piece join to its text. A
piece begins and ends with its words wherever those have a length. And no rule makes a word longer.
"""

from __future__ import annotations

import string
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from asr.pipeline.types import Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asr.pipeline.types import Piece

# Written without spaces: every character may be a word.
SPACELESS = frozenset({"zh", "ja", "th", "lo", "my", "yue"})

OPENING = "\"'“¿([{-"
CLOSING = "\"'.。,，!！?？:：”)]}、"
SENTENCE_ENDS = ".。!！?？"

USUAL_MAX_S = 0.7  # the median length of a window's words, but not more than this
AWAY_S = 0.5  # a word that starts this long before its piece, or ends so long after it, is cut


class Spelled(NamedTuple):
    """A word's text, with the space before it, and how many tokens it took."""

    text: str
    tokens: int


class Spoken(NamedTuple):
    """A spelled word with its times, and the mean probability of its tokens."""

    text: str
    start_s: float
    end_s: float
    score: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def spell(tokens: Sequence[bytes], language: str) -> tuple[Spelled, ...]:
    """The words of a text, given the bytes of its tokens; they join to the text."""
    characters = _characters(tokens)
    return tuple(characters if language in SPACELESS else _spaced(characters))


def place(
    pieces: Sequence[Piece],
    spelled: Sequence[Sequence[Spelled]],
    starts_s: Sequence[float],
    scores: Sequence[float],
    *,
    heard_from_s: float,
) -> tuple[Piece, ...]:
    """The pieces of a window with their words, and with the times that follow from those.

    ``spelled`` has the words of each piece. ``starts_s`` says when each token of them all starts,
    and then when the last one ends; ``scores`` how probable each token is.
    """
    spoken = _speak([word for words in spelled for word in words], starts_s, scores)
    usual_s = _usual_s(spoken)
    spoken = _shorten(spoken, 2 * usual_s)
    placed: list[Piece] = []
    for piece, words in zip(pieces, spelled, strict=True):
        own, spoken = spoken[: len(words)], spoken[len(words) :]
        placed.append(_settle(piece, _join(own), usual_s, heard_until_s=heard_from_s))
        heard_from_s = placed[-1].end_s
    return tuple(placed)


def _characters(tokens: Sequence[bytes]) -> Iterator[Spelled]:
    """Tokens together until they end with a whole character: the next begins another one.

    Bytes that are no text become U+FFFD, one by one the same as in the text as a whole.
    """
    begins = [k for k, token in enumerate(tokens) if k == 0 or not 0x80 <= token[0] < 0xC0]
    for first, end in pairwise([*begins, len(tokens)]):
        yield Spelled(b"".join(tokens[first:end]).decode(errors="replace"), end - first)


def _spaced(characters: Iterable[Spelled]) -> Iterator[Spelled]:
    """Words that begin with a space, and each sign of punctuation by itself."""
    word: Spelled | None = None
    for part in characters:
        alone = part.text.startswith(" ") or part.text.strip() in string.punctuation
        if word is not None and not alone:
            word = Spelled(word.text + part.text, word.tokens + part.tokens)
            continue
        if word is not None:
            yield word
        word = part
    if word is not None:
        yield word


def _speak(
    spelled: Iterable[Spelled], starts_s: Sequence[float], scores: Sequence[float]
) -> list[Spoken]:
    spoken: list[Spoken] = []
    first = 0
    for text, tokens in spelled:
        end = first + tokens
        spoken.append(Spoken(text, starts_s[first], starts_s[end], fmean(scores[first:end])))
        first = end
    return spoken


def _usual_s(spoken: Iterable[Spoken]) -> float:
    """How long a word usually is in this window; 0 if none has a length."""
    lengths_s = [word.length_s for word in spoken if word.length_s > 0]
    return min(USUAL_MAX_S, median(lengths_s)) if lengths_s else 0.0


def _shorten(spoken: Sequence[Spoken], longest_s: float) -> list[Spoken]:
    """Where a sentence ends, the pause belongs neither to its last sign nor to the next word."""
    shortened = list(spoken[:1])
    for before, word in pairwise(spoken):
        if word.length_s > longest_s and word.text in SENTENCE_ENDS:
            shortened.append(word._replace(end_s=word.start_s + longest_s))
        elif word.length_s > longest_s and before.text in SENTENCE_ENDS:
            shortened.append(word._replace(start_s=word.end_s - longest_s))
        else:
            shortened.append(word)
    return shortened


def _join(words: Sequence[Spoken]) -> list[Spoken]:
    """Punctuation as part of the word that it opens or closes; the word keeps its times."""
    opened: list[Spoken] = []
    for word in reversed(words):
        if opened and word.text.startswith(" ") and word.text.strip() in OPENING:
            opened[-1] = opened[-1]._replace(text=word.text + opened[-1].text)
        else:
            opened.append(word)
    closed: list[Spoken] = []
    for word in reversed(opened):
        if closed and not closed[-1].text.endswith(" ") and word.text in CLOSING:
            closed[-1] = closed[-1]._replace(text=closed[-1].text + word.text)
        else:
            closed.append(word)
    return closed


def _settle(piece: Piece, words: list[Spoken], usual_s: float, *, heard_until_s: float) -> Piece:
    """The piece with its words; each gets the other's times where its own are the less likely."""
    if words[0].end_s - heard_until_s > 4 * usual_s:
        words = _after_pause(words, 2 * usual_s)
    words = _within(words, piece, usual_s)
    placed = tuple(Word(word.text, word.start_s, word.end_s, word.score) for word in words)
    start_s, end_s = words[0].start_s, words[-1].end_s
    if end_s > start_s:
        return replace(piece, start_s=start_s, end_s=end_s, words=placed)
    return replace(piece, words=placed)


def _after_pause(words: list[Spoken], longest_s: float) -> list[Spoken]:
    """The first two words after a pause do not begin with the pause."""
    first, *rest = words
    both_s = rest[0].end_s - first.start_s if rest else 0.0
    if first.length_s <= longest_s and both_s <= 2 * longest_s:
        return words
    if rest and rest[0].length_s > longest_s:
        boundary_s = rest[0].end_s - longest_s
        first, rest[0] = first._replace(end_s=boundary_s), rest[0]._replace(start_s=boundary_s)
    return [first._replace(start_s=max(first.start_s, first.end_s - longest_s)), *rest]


def _within(words: list[Spoken], piece: Piece, usual_s: float) -> list[Spoken]:
    """A first word that starts long before the piece and a last one that ends long after it end
    where the piece does, but keep the usual length."""
    first = words[0]
    if first.start_s + AWAY_S < piece.start_s < first.end_s:
        start_s = min(first.end_s - usual_s, piece.start_s)
        words = [first._replace(start_s=max(first.start_s, start_s)), *words[1:]]
    last = words[-1]
    if last.start_s < piece.end_s < last.end_s - AWAY_S:
        end_s = max(last.start_s + usual_s, piece.end_s)
        words = [*words[:-1], last._replace(end_s=min(last.end_s, end_s))]
    return words
