from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.pipeline.types import Decoding, Piece, Word
from asr.pipeline.vocabulary import Vocabulary
from asr.pipeline.words import Spelled, place, spell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlx_whisper.tokenizer import Tokenizer

TEXTS = {
    "en": ' And so, my fellow Americans: "don\'t" ask (what) 1,000 co-operatives… naïve 🦄!',
    "de": " Fünf Äpfel kosten 3,50 €. – Wirklich?",
    "fr": " Qu'est-ce que c'est, « déjà » ?",
    "ru": " Привет, мир. Как дела?",
    "zh": "你好，世界。今天天气很好！OK 吗？",
    "ja": "おはようございます。「東京」へ、行きます🗼。",
    "th": "สวัสดีครับ ผมชื่อ",
    "yue": "佢哋喺度㗎喎。",
}


def tokenizer(language: str) -> Tokenizer:
    from mlx_whisper.tokenizer import get_tokenizer

    return get_tokenizer(True, num_languages=100, language=language)


def vocabulary() -> Vocabulary:
    return Vocabulary(tokenizer("en"), multilingual=True, languages=100, context=448)


@pytest.mark.parametrize("language", TEXTS)
def test_text_is_spelled_as_mlx_whisper_spells_it(language: str) -> None:
    theirs = tokenizer(language)
    tokens = theirs.encode(TEXTS[language])
    texts, groups = theirs.split_to_word_tokens([*tokens, theirs.eot])
    words = [Spelled(text, len(group)) for text, group in zip(texts, groups, strict=True)]
    assert [*vocabulary().spell(tokens, Decoding(language))] == words[:-1]


def test_a_translation_is_spelled_as_english() -> None:
    tokens = vocabulary().tokenizer.encode(" Good morning, everyone")
    spelled = vocabulary().spell(tokens, Decoding("zh", "translate"))
    assert [word.text for word in spelled] == [" Good", " morning", ",", " everyone"]


ODD = st.sampled_from([b" ", b" \xe4", b"\xbd", b"\xa0", b"\xf0\x9f", b"a", b".", b"\xff", b"\xc3"])


@given(st.lists(ODD), st.sampled_from(["en", "zh"]))
def test_no_byte_is_lost_even_where_bytes_are_no_text(tokens: list[bytes], language: str) -> None:
    spelled = spell(tokens, language)
    assert "".join(word.text for word in spelled) == b"".join(tokens).decode(errors="replace")
    assert sum(word.tokens for word in spelled) == len(tokens)


def piece(start_s: float, end_s: float, *words: str) -> Piece:
    """Of words with one token each."""
    return Piece(start_s, end_s, "".join(words), tuple(range(len(words))))


def placed(
    pieces: Sequence[tuple[float, float, Sequence[str]]],
    starts_s: Sequence[float],
    scores: Sequence[float] | None = None,
    *,
    heard_from_s: float = 0.0,
) -> list[tuple[float, float, list[tuple[str, float, float]]]]:
    """The same form as it came in, with times for every word."""
    spelled = [[Spelled(text, 1) for text in texts] for _, _, texts in pieces]
    answer = place(
        [piece(start_s, end_s, *texts) for start_s, end_s, texts in pieces],
        spelled,
        starts_s,
        scores or [0.5] * (len(starts_s) - 1),
        heard_from_s=heard_from_s,
    )
    return [(each.start_s, each.end_s, times(each.words)) for each in answer]


def times(words: Sequence[Word]) -> list[tuple[str, float, float]]:
    return [
        (word.text, round(word.start_s, 3), round(word.end_s, 3))
        for word in words
        if word.start_s is not None and word.end_s is not None
    ]


def test_a_word_lasts_from_its_first_token_to_the_next_words_with_its_tokens_mean_score() -> None:
    said = piece(10.0, 12.0, " one", " twenty")
    spelled = [[Spelled(" one", 1), Spelled(" twenty", 2)]]
    assert place(
        [said], spelled, [10.0, 10.5, 10.8, 11.0], [0.5, 0.25, 0.75], heard_from_s=9.5
    ) == (
        Piece(
            10.0,
            11.0,
            " one twenty",
            (0, 1),
            (Word(" one", 10.0, 10.5, 0.5), Word(" twenty", 10.5, 11.0, 0.5)),
        ),
    )


def test_punctuation_is_part_of_the_word_that_it_opens_or_closes() -> None:
    texts = [" (", "yes", ")", " he", "'", ".", ' "', "No", '."', " -", " so"]
    starts_s = [k / 4 for k in range(12)]
    ((_, _, words),) = placed([(0.0, 2.75, texts)], starts_s)
    assert words == [
        (" (yes)", 0.25, 0.5),
        (" he'.", 0.75, 1.0),
        (' "No', 1.75, 2.0),
        ('."', 2.0, 2.25),
        (" - so", 2.5, 2.75),
    ]


def test_the_pause_after_a_sentence_belongs_to_no_word() -> None:
    texts = [" a", " b", ".", " c", " d", ".", " e"]
    starts_s = [0.0, 0.25, 0.5, 2.0, 2.25, 2.5, 2.75, 5.0]
    ((start_s, end_s, words),) = placed([(0.0, 5.0, texts)], starts_s)
    assert (start_s, end_s) == (0.0, 5.0)
    assert words == [
        (" a", 0.0, 0.25),
        (" b.", 0.25, 0.5),
        (" c", 2.0, 2.25),
        (" d.", 2.25, 2.5),
        (" e", 4.5, 5.0),  # twice the usual 0.25 s
    ]


@pytest.mark.parametrize(
    ("starts_s", "words"),
    [
        # The first word took the pause, the second one is as usual.
        ([0.0, 3.0, 3.2, 3.4, 3.6], [(2.6, 3.0), (3.0, 3.2), (3.2, 3.4), (3.4, 3.6)]),
        # The second one took it.
        ([1.0, 1.2, 3.0, 3.2, 3.4], [(2.2, 2.6), (2.6, 3.0), (3.0, 3.2), (3.2, 3.4)]),
        # Nobody paused.
        ([0.0, 0.6, 0.8, 1.0, 1.2], [(0.0, 0.6), (0.6, 0.8), (0.8, 1.0), (1.0, 1.2)]),
    ],
)
def test_the_first_words_after_a_pause_do_not_begin_with_it(
    starts_s: list[float], words: list[tuple[float, float]]
) -> None:
    texts = [" a", " b", " c", " d"]
    ((start_s, end_s, said),) = placed([(0.0, 3.6, texts)], starts_s)
    assert [(word_start_s, word_end_s) for _, word_start_s, word_end_s in said] == words
    assert (start_s, end_s) == pytest.approx((words[0][0], words[-1][1]))


def test_words_that_begin_long_before_their_piece_or_end_long_after_it_are_cut_there() -> None:
    texts = [" a", " b", " c", " d"]
    starts_s = [0.0, 1.0, 1.25, 1.5, 3.0]
    assert placed([(0.75, 1.75, texts)], starts_s) == [
        (
            0.375,  # a usual word is 0.625 s long
            2.125,
            [(" a", 0.375, 1.0), (" b", 1.0, 1.25), (" c", 1.25, 1.5), (" d", 1.5, 2.125)],
        )
    ]


def test_a_piece_whose_words_have_no_length_keeps_its_times() -> None:
    assert placed([(1.0, 2.0, [" a", " b"])], [1.5, 1.5, 1.5]) == [
        (1.0, 2.0, [(" a", 1.5, 1.5), (" b", 1.5, 1.5)])
    ]


def test_every_piece_gets_its_own_words() -> None:
    pieces = [(0.0, 1.0, [" a", ","]), (1.0, 2.0, [" ("]), (2.0, 3.0, [".", " b"])]
    assert placed(pieces, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]) == [
        (0.0, 0.5, [(" a,", 0.0, 0.5)]),
        (1.0, 1.5, [(" (", 1.0, 1.5)]),
        (1.5, 2.5, [(".", 1.5, 2.0), (" b", 2.0, 2.5)]),
    ]


SIGNS = st.sampled_from([" a", "b", " ", ".", ",", " (", ' "', "'", "。", " c"])
PIECES = st.lists(
    st.tuples(st.floats(0, 30), st.floats(0, 30), st.lists(SIGNS, min_size=1, max_size=6)),
    min_size=1,
    max_size=4,
)


@given(PIECES, st.data())
def test_words_join_to_their_piece_and_never_run_backwards(
    pieces: list[tuple[float, float, list[str]]], data: st.DataObject
) -> None:
    count = sum(len(texts) for _, _, texts in pieces)
    frames = st.lists(st.integers(0, 1500), min_size=count + 1, max_size=count + 1)
    starts_s = [frame / 50 for frame in sorted(data.draw(frames))]
    answer = placed(pieces, starts_s)
    joined = ["".join(text for text, _, _ in words) for _, _, words in answer]
    assert joined == ["".join(texts) for _, _, texts in pieces]
    moments = [time for _, _, words in answer for _, *both in words for time in both]
    assert all(a <= b + 1e-9 for a, b in pairwise(moments))
    assert starts_s[0] <= moments[0]
    assert moments[-1] <= starts_s[-1]
