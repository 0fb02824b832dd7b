"""What is true of scripts: how wide text is, and where it may be broken, and how well."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Scripts that put no spaces between words break between characters: Thai and Lao, Myanmar, Khmer,
# then Chinese and Japanese with their punctuation. Hangul has spaces.
SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)

# Japanese phrases begin with other characters and end in these.
HIRAGANA = re.compile("[\u3041-\u309f]")

# Runs between spaces; a no-break space is no place to break, nor is one that ought to be: French
# puts spaces before some marks, and Whisper writes plain ones.
NO_BREAK = "\u00a0\u2007\u202f"
RUN = re.compile(f"[\\S{NO_BREAK}](?:[\\S{NO_BREAK}]| (?=[?!:;»%]+(?!\\S))|(?<=«) )*")

# What never begins a line in those scripts (Japan's rules of typesetting, Thai vowels that follow
# their consonant), and what never ends one (opening brackets, vowels that precede theirs).
NEVER_FIRST = frozenset(
    NO_BREAK + " 、。，．・：；？！）」』】〉》〕］｝〟ー～…‥々ゝゞヽヾ"
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
    "ะาำๅๆฯະາຳໆ၊။។៕.,!?:;)]}’”'\"%‰"
)
NEVER_LAST = frozenset(NO_BREAK + " （「『【〈《〔［｛〝([{‘“$€£¥เแโใไເແໂໃໄ")

ZERO_WIDTH_JOINER = "\u200d"

CLOSING = "\"'”’»)]}）」』】〉》〕］｝"
SENTENCE_ENDS = frozenset(".!?…。！？．؟۔।॥።։။។៕")
CLAUSE_ENDS = frozenset(",;:—–،؛、，；：၊")
SHORT_FORM = re.compile(r"(?:[a-zà-öø-ÿа-я]|\d{1,2})\.", re.IGNORECASE)  # z. B., J. S. Bach, am 3.
TITLES = frozenset({"mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "sr.", "sra.", "vs."})

# What a break costs, in cues: it is worth another cue not to break between any two words.
AFTER_SENTENCE, AFTER_CLAUSE, AFTER_PHRASE, ANYWHERE, INSIDE_PHRASE = 0.0, 0.6, 1.6, 2.0, 3.0


def width(text: str) -> int:
    """Columns: wide characters count twice, combining ones and what is joined to an emoji not."""
    if text.isascii():
        return len(text)
    joined = [False, *(char == ZERO_WIDTH_JOINER for char in text)]
    return sum(_columns(char) for char, hidden in zip(text, joined, strict=False) if not hidden)


def parts(text: str) -> Iterator[tuple[int, int]]:
    """Where each part begins and ends that must not be broken: words, or characters."""
    for run in RUN.finditer(text):
        if not run.group().strip():
            continue
        first, last = run.span()
        inside = _inside(run.group()) if SPACELESS.search(run.group()) else ()
        yield from pairwise([first, *(first + at for at in inside), last])


def is_spaceless(char: str) -> bool:
    """Whether the character is of a script that puts no spaces between words."""
    return SPACELESS.match(char) is not None


def break_cost(part: str, following: str, *, spaced: bool) -> float:
    """How much it hurts to break between two parts: nothing after a sentence, most within a clause.

    A full stop before a small letter or a number hardly ends a sentence. A space in a script
    without spaces is what a comma is elsewhere.
    """
    bare = part.rstrip(CLOSING)
    last = bare[-1:]
    if last in SENTENCE_ENDS and not _is_short_form(bare):
        going_on = following[:1].islower() or following[:1].isdigit()
        return AFTER_CLAUSE if going_on else AFTER_SENTENCE
    if last in CLAUSE_ENDS or (spaced and is_spaceless(part[-1])):
        return AFTER_CLAUSE
    ended, not_begun = HIRAGANA.match(last), HIRAGANA.match(following)
    if bool(ended) == bool(not_begun):
        return ANYWHERE
    return AFTER_PHRASE if ended else INSIDE_PHRASE


def _is_short_form(part: str) -> bool:
    """A title, an initial or a German ordinal, whose full stop says nothing."""
    return SHORT_FORM.fullmatch(part) is not None or part.lower() in TITLES


def _inside(run: str) -> Iterator[int]:
    """Where a run of a script without spaces may be broken; Latin words in it stay whole."""
    for at, (before, after) in enumerate(pairwise(run), 1):
        apart = is_spaceless(before) or is_spaceless(after)
        if apart and before not in NEVER_LAST and after not in NEVER_FIRST and not _clings(after):
            yield at


def _clings(char: str) -> bool:
    """Accents, vowel signs and joiners belong to what is before them."""
    return unicodedata.category(char) in {"Mn", "Mc", "Me", "Cf"}


def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
