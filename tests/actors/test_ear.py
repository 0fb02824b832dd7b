"""Text is told once, as soon as it is likely to stay, and all that was told is the transcript."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.actors.ear import Ear
from asr.pipeline.audio import Audio
from asr.pipeline.engine import Growing
from asr.pipeline.types import Hypothesis, Piece, Progress, Segment, Window, Word

AUDIO = Audio(Path("never-read.raw"), 60 * 16_000)
FIRST, SECOND = Window(AUDIO, 0.0, 30.0), Window(AUDIO, 30.0, 60.0)


def said(window: Window, *texts: str, sure: float = -0.2, packs: float = 1.2) -> Hypothesis:
    """A text each two seconds."""
    start_s = window.start_s
    pieces = tuple(
        Piece(start_s + 2 * i, start_s + 2 * i + 2, text, (i,)) for i, text in enumerate(texts)
    )
    return Hypothesis(window, pieces, window.end_s, 0.0, sure, 0.1, packs)


class Listener:
    """An ear, and what it told."""

    def __init__(self) -> None:
        self.news: list[str] = []
        self.told: list[Segment] = []
        self.progress: list[float] = []
        self.ear = Ear(AUDIO, self._note)

    def _note(self, progress: Progress) -> None:
        self.news.append("".join(segment.text for segment in progress.segments))
        self.told += progress.segments
        self.progress.append(progress.done_s)

    def grow(self, *parts: Hypothesis) -> None:
        self.ear.grow(Growing(FIRST, "", parts))

    def hear(self, *parts: Hypothesis) -> None:
        self.ear.hear(parts)

    @property
    def heard(self) -> list[str]:
        return [segment.text for segment in self.ear.heard.segments]


def test_a_piece_is_told_once_the_next_is_closed() -> None:
    listener = Listener()
    for count in range(4):
        listener.grow(said(FIRST, *[" a", " b", " c"][:count]))
    listener.hear(said(FIRST, " a", " b", " c", " d"))
    listener.ear.end()
    assert listener.news == [" a", " b", " c d", ""]
    assert listener.progress == [2, 4, 30, 60]


def test_what_was_told_early_is_in_the_transcript_as_it_is_measured_at_the_end() -> None:
    listener = Listener()
    listener.grow(said(FIRST, " a", " b", sure=-0.1))
    whole = said(FIRST, " a", " b", sure=-0.5)
    listener.hear(whole)
    assert [segment.avg_logprob for segment in listener.ear.heard.segments] == [-0.5, -0.5]
    assert [segment.avg_logprob for segment in listener.told] == [-0.1, -0.5]


def test_what_was_told_early_begins_and_ends_with_its_words_at_the_end() -> None:
    listener = Listener()
    listener.grow(said(FIRST, " a", " b"))
    whole = said(FIRST, " a", " b")
    words = tuple(Word(piece.text, piece.start_s + 0.1, piece.end_s) for piece in whole.pieces)
    timed = tuple(
        replace(piece, start_s=piece.start_s + 0.1, words=(word,))
        for piece, word in zip(whole.pieces, words, strict=True)
    )
    listener.hear(replace(whole, pieces=timed))
    assert [segment.words for segment in listener.ear.heard.segments] == [(word,) for word in words]
    assert [segment.start_s for segment in listener.ear.heard.segments] == [0.1, 2.1]
    assert listener.news == [" a", " b"]


@pytest.mark.parametrize("doubt", [{"sure": -0.8}, {"packs": 2.1}])
def test_what_may_have_to_be_decoded_again_is_not_told(doubt: dict[str, float]) -> None:
    listener = Listener()
    listener.grow(said(FIRST, " a", " b", **doubt))
    listener.grow(replace(said(FIRST, " a", " b"), no_speech_prob=0.7))
    assert listener.news == []


def test_text_that_was_told_stays_when_its_window_is_decoded_again() -> None:
    listener = Listener()
    listener.grow(said(FIRST, " a", " b", " c"))
    listener.hear(said(FIRST, " x", " y", " z"))
    assert listener.news == [" a b", " z"]
    assert listener.heard == [" a", " b", " z"]


def test_new_text_goes_on_where_the_told_one_ends_and_not_where_it_has_as_many_pieces() -> None:
    listener = Listener()
    listener.grow(said(FIRST, " a", " b", " c"))  # to 4 s
    pieces = tuple(Piece(at, at + 1.0, f" {at:g}", ()) for at in (0.0, 1.0, 2.0, 3.0, 4.0))
    listener.hear(replace(said(FIRST), pieces=pieces))
    assert listener.heard == [" a", " b", " 4"]


def test_a_try_that_begins_otherwise_is_told_at_its_end_only() -> None:
    listener = Listener()
    listener.grow(said(FIRST, " a", " b"))
    listener.grow(said(FIRST, " x", " y", " z"))
    listener.hear(said(FIRST, " x", " y", " z"))
    assert listener.news == [" a", " y z"]


def test_what_was_heard_before_a_rest_is_told_with_it() -> None:
    listener = Listener()
    before = said(Window(AUDIO, 0.0, 4.0), " a", " b")
    rest = Window(AUDIO, 4.0, 30.0)
    listener.grow(before, said(rest))
    listener.grow(before, said(rest, " c", " d"))
    listener.hear(before, said(rest, " c", " d"))
    assert listener.news == [" a b", " c", " d"]


def test_each_window_is_told_for_itself() -> None:
    listener = Listener()
    listener.grow(said(FIRST, " a", " b"))
    listener.hear(said(FIRST, " a", " b"))
    listener.ear.grow(Growing(SECOND, "", (said(SECOND, " a", " b"),)))
    listener.hear(said(SECOND, " a", " b"))
    assert listener.news == [" a", " b", " a", " b"]


texts = st.lists(st.sampled_from([" a", " b", " ", ""]), max_size=4)
tries = st.lists(st.builds(lambda words: said(FIRST, *words), texts), max_size=6)


@given(tries, tries.filter(bool))
def test_all_that_is_told_is_the_transcript(
    grown: list[Hypothesis], answers: list[Hypothesis]
) -> None:
    listener = Listener()
    for each in grown:
        listener.grow(each)
    for answer in answers:
        listener.hear(answer)
    assert [segment.text for segment in listener.told] == listener.heard
