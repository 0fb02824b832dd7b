"""Characters found in what a network heard, and words made of them. No network is needed here."""

import numpy as np
import pytest

from asr.pipeline.align.aligner import convolves_any_length
from asr.pipeline.align.paths import Emission, Heard, find_path
from asr.pipeline.align.wording import Alphabet, Spelling, part, place_words, spell
from asr.pipeline.types import Word

LETTERS = Alphabet.of((label, k) for k, label in enumerate("-|etaoinhsrdlumwcfgypbvk'xjqz"))


def heard(spoken: str, *, sure: float = 0.9) -> Emission:
    """Frames in which these labels are heard: a letter, "-" for the blank."""
    share = (1 - sure) / (len(LETTERS.labels) - 1)
    probabilities = np.full((len(spoken), len(LETTERS.labels)), share, np.float32)
    for frame, label in enumerate(spoken):
        probabilities[frame, LETTERS.labels[label]] = sure
    return Emission(np.log(probabilities), probabilities)


def tokens(text: str) -> list[int]:
    return [LETTERS.labels[letter] for letter in text]


def test_a_character_lasts_from_its_sound_to_the_next() -> None:
    path = find_path(heard("--h--i----|-u-"), tokens("hi|u"), LETTERS.blank)
    assert path is not None
    assert [(one.first, one.end) for one in path] == [(2, 5), (5, 10), (10, 12), (12, 13)]
    assert [one.score for one in path] == pytest.approx([0.9] * 4)


def test_a_character_that_is_not_heard_has_a_low_score_between_its_neighbours() -> None:
    path = find_path(heard("-h---u-"), tokens("hiu"), LETTERS.blank)
    assert path is not None
    h, i, u = path
    assert h.end == i.first
    assert i.end == u.first == 5
    assert i.score < min(h.score, u.score)


def test_there_is_no_way_for_more_characters_than_frames() -> None:
    assert find_path(heard("hi"), tokens("hiu"), LETTERS.blank) is None
    assert find_path(heard("-"), tokens("hi"), LETTERS.blank) is None


def test_a_wildcard_is_as_likely_as_the_likeliest_label_that_is_no_blank() -> None:
    emission = heard("-h-").with_wildcard(LETTERS.blank)
    assert emission.probabilities[:, -1] == pytest.approx([0.1 / 28, 0.9, 0.1 / 28])
    assert emission.logs[:, -1] == pytest.approx(np.log(emission.probabilities[:, -1]))
    last = Emission(np.array([[0.5, 0.2, 1.0]]), np.array([[0.5, 0.2, 1.0]])).with_wildcard(2)
    assert last.logs.tolist() == [[0.5, 0.2, 1.0, 0.5]]


def test_a_digit_is_found_where_something_is_heard_that_has_no_other_letter() -> None:
    emission = heard("-a--x---b-").with_wildcard(LETTERS.blank)
    path = find_path(emission, [*tokens("a"), len(LETTERS.labels), *tokens("b")], LETTERS.blank)
    assert path is not None
    assert [one.first for one in path] == [1, 4, 8]


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        (" Hello, world!", "en", (" Hello,", " world!")),
        ("One", "en", ("One",)),
        ("  two  spaces ", "en", ("  two", "  spaces ")),
        (" \n", "en", ()),
        ("", "en", ()),
        ("你好。", "zh", ("你", "好", "。")),
        (" 東 京 ", "ja", (" 東", " 京 ")),
        (" a\u00a0b", "fr", (" a\u00a0b",)),
    ],
)
def test_words_keep_the_space_before_them_and_join_to_the_text(
    text: str, language: str, words: tuple[str, ...]
) -> None:
    assert part(text, language) == words
    assert "".join(words) == text or not text.strip()


def test_what_the_network_has_no_label_for_stands_for_any_sound() -> None:
    e, t, space = LETTERS.labels["e"], LETTERS.labels["t"], LETTERS.labels["|"]
    assert spell(" Te 7 ", "en", LETTERS) == Spelling((1, 2, 3, 4), (t, e, space, None))
    assert spell(" \n", "en", LETTERS) == Spelling((), ())


def test_a_space_that_the_network_has_no_label_for_is_no_sound() -> None:
    bare = Alphabet({"a": 1, "b": 2}, 0)
    assert spell("a b|", "en", bare) == Spelling((0, 2), (1, 2))


def test_a_capital_of_two_small_characters_is_one() -> None:
    assert spell("İi", "tr", Alphabet({"i": 5}, 0)) == Spelling((0, 1), (5, 5))


def test_the_blank_is_the_first_label_unless_one_says_so() -> None:
    assert Alphabet.of([("-", 0), ("A", 1)]) == Alphabet({"-": 0, "a": 1}, 0)
    assert Alphabet.of([("A", 0), ("[PAD]", 7)]).blank == 7
    assert Alphabet.of([("<pad>", 3), ("a", 4)]).blank == 3


def test_a_word_lasts_from_its_first_character_to_its_last() -> None:
    found = {1: Heard(10, 12, 0.5), 2: Heard(12, 20, 1.0), 4: Heard(30, 31, 0.25)}
    words = place_words(" ab c", "en", found, start_s=5.0, end_s=6.0, frame_s=0.02)
    assert words == (Word(" ab", 5.2, 5.4, 0.75), Word(" c", 5.6, 5.62, 0.25))


def test_a_word_without_sound_has_the_times_of_the_nearest_and_no_score() -> None:
    found = {3: Heard(0, 5, 0.5), 9: Heard(40, 50, 0.5)}
    words = place_words("? ?a ? ? b ?", "en", found, start_s=0.0, end_s=1.0, frame_s=0.02)
    a, b = (0.0, 0.1), (0.8, 1.0)
    assert [(word.start_s, word.end_s) for word in words] == [a, a, a, b, b, b]
    assert [word.score for word in words] == [None, 0.5, None, None, 0.5, None]


def test_no_word_leaves_its_segment_by_rounding() -> None:
    found = {0: Heard(0, 50, 1.0)}
    (word,) = place_words("a", "en", found, start_s=0.00049, end_s=1.00051, frame_s=0.0200004)
    assert (word.start_s, word.end_s) == (0.00049, 1.00051)


@pytest.mark.parametrize(
    ("version", "any_length"),
    [("14.7.1", False), ("15.0", False), ("15.1", True), ("26.0.1", True), ("", False)],
)
def test_metal_takes_long_segments_from_a_version_on(version: str, any_length: bool) -> None:
    assert convolves_any_length(version) is any_length
