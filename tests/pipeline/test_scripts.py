"""Where text of every script may be broken, how well it breaks there, and how wide it is."""

import pytest

from asr.pipeline.scripts import (
    AFTER_CLAUSE,
    AFTER_PHRASE,
    AFTER_SENTENCE,
    ANYWHERE,
    INSIDE_PHRASE,
    break_cost,
    parts,
    width,
)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (" one  two\n\tthree ", "one|two|three"),
        (" 15\u00a0000\u202f€ net", "15\u00a0000\u202f€|net"),
        ("Quoi ? « Non » : 5 % ;)", "Quoi ?|« Non » :|5 %|;)"),
        (" ? 什么 ?!", "?|什|么 ?!"),
        ("iPhone15を買う。", "iPhone15|を|買|う。"),
        ("想（看）「吧」", "想|（看）|「吧」"),
        ("ラーメンっていい", "ラー|メ|ンっ|て|い|い"),
        ("ไปเที่ยวน้ำ", "ไป|เที่|ย|ว|น้ำ"),
        ("안녕하세요 여러분", "안녕하세요|여러분"),
        ("か\u3099き", "か\u3099|き"),
        ("👩\u200d👧日", "👩\u200d👧|日"),
        (" \u00a0 ", ""),
    ],
)
def test_a_part_is_a_word_or_where_there_are_no_spaces_a_character(text: str, cut: str) -> None:
    assert "|".join(text[first:last] for first, last in parts(text)) == cut


@pytest.mark.parametrize(
    ("part", "following", "cost"),
    [
        ("end.", "Next", AFTER_SENTENCE),
        ("end.”)", "Next", AFTER_SENTENCE),
        ("了。」", "他", AFTER_SENTENCE),
        ("كيف؟", "نحن", AFTER_SENTENCE),
        ("approx.", "one", AFTER_CLAUSE),
        ("so,”", "he", AFTER_CLAUSE),
        ("geb.", "1950", AFTER_CLAUSE),
        ("Mr.", "Fox", ANYWHERE),
        ("z.", "B.", ANYWHERE),
        ("3.", "Oktober", ANYWHERE),
        ("1950.", "Then", AFTER_SENTENCE),
        ("了.", "他", AFTER_SENTENCE),
        ("J.", "Fox", ANYWHERE),
        ("one", "Two", ANYWHERE),
    ],
)
def test_text_breaks_best_after_a_sentence_then_after_a_clause(
    part: str, following: str, cost: float
) -> None:
    assert break_cost(part, following, spaced=True) == cost


@pytest.mark.parametrize(
    ("part", "following", "spaced", "cost"),
    [
        ("มาก", "และ", True, AFTER_CLAUSE),
        ("ม", "า", False, ANYWHERE),
        ("は", "東", False, AFTER_PHRASE),
        ("東", "は", False, INSIDE_PHRASE),
        ("東", "京", False, ANYWHERE),
    ],
)
def test_in_a_script_without_spaces_a_space_is_a_comma_and_japanese_breaks_after_phrases(
    part: str, following: str, spaced: bool, cost: float
) -> None:
    assert break_cost(part, following, spaced=spaced) == cost


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("日本", 4),
        ("ＡＢ", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("👩\u200d👩\u200d👧", 2),
        ("ที่", 1),
    ],
)
def test_wide_characters_take_two_columns_and_combining_ones_none(text: str, columns: int) -> None:
    assert width(text) == columns
