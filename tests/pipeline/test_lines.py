from pathlib import Path

import pytest

from asr.pipeline.audio import Audio
from asr.pipeline.engine import Row
from asr.pipeline.lines import PATIENCE, Line, leaving
from asr.pipeline.types import Decoding, Window

EOT = 50257
WINDOW = Window(Audio(Path("a"), 480_000), 0.0, 30.0)


def line(*, ended: bool, words: bool = False) -> Line:
    return Line(Row(WINDOW, Decoding("en", words=words)), start=0, tokens_max=3, ended=ended)


def test_a_line_hears_its_tokens_up_to_the_end_of_the_text() -> None:
    heard = line(ended=False)
    news = [heard.hear(token, logprob, eot=EOT) for token, logprob in ((7, -1), (EOT, -2), (9, -3))]
    assert news == [True, True, False]
    assert (heard.tokens, heard.logprobs, heard.ended) == ([7], [-1, -2], True)


def test_a_line_without_an_end_stops_when_it_has_said_all_it_may() -> None:
    heard = line(ended=False)
    assert [heard.hear(token, -1.0, eot=EOT) for token in (1, 2, 3, 4)] == [True] * 3 + [False]
    assert heard.tokens == [1, 2, 3]


def test_whoever_has_ended_leaves() -> None:
    lines = [line(ended=True), None, line(ended=False), line(ended=True)]
    assert leaving(lines, words_together=4) == [0, 3]


def test_words_are_timed_together_while_others_still_speak() -> None:
    speaking, first, second = line(ended=False), *(line(ended=True, words=True) for _ in range(2))
    plain = line(ended=True)
    assert leaving([speaking, first, plain], words_together=2) == [2]
    assert leaving([speaking, first, second], words_together=2) == [1, 2]
    assert leaving([first], words_together=2) == [0]


@pytest.mark.parametrize(("steps", "leaves"), [(PATIENCE - 1, []), (PATIENCE, [1])])
def test_nobody_waits_for_company_for_ever(steps: int, leaves: list[int]) -> None:
    lines = [line(ended=False), line(ended=True, words=True)]
    for _ in range(steps):
        assert leaving(lines, words_together=8) == []
    assert leaving(lines, words_together=8) == leaves
