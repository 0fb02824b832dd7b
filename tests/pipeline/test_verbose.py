"""A transcript survives the way to its client and back, and corrections keep the times of words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.http.reference.examples import transcript
from asr.pipeline.cues import Layout
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.formats import FILES, verbose_json
from asr.pipeline.types import Segment, Transcript, Word
from asr.pipeline.verbose import (
    SEGMENT_CHARACTERS_MAX,
    SEGMENTS_MAX,
    SPEAKER_CHARACTERS_MAX,
    WORD_CHARACTERS_MAX,
    WORDS_MAX,
    read_verbose_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def read(value: object) -> Transcript:
    return read_verbose_json(value, param="transcript")


def said(text: str, *words: str, speaker: str | None = None) -> dict[str, Any]:
    """A segment of 10 s, and a word each second."""
    timed = [{"word": word, "start": at, "end": at + 0.5} for at, word in enumerate(words)]
    return {"segments": [{"start": 0, "end": 10, "text": text, "speaker": speaker}], "words": timed}


def starts(words: Sequence[Word]) -> dict[str, float | None]:
    return {word.text: word.start_s for word in words}


def test_what_was_written_is_read_back_and_written_the_same() -> None:
    ours = replace(transcript(), diarization=None)
    theirs = read(verbose_json(ours, ["word", "segment"]))
    scoreless = (
        replace(s, words=tuple(replace(word, score=None) for word in s.words))
        for s in ours.segments
    )
    assert theirs == replace(ours, segments=tuple(scoreless))
    layout = Layout(line_width_max=12, lines_max=1, highlight_words=True)
    for style in FILES.values():
        assert style.write(theirs, speakers=True, layout=layout) == style.write(
            ours, speakers=True, layout=layout
        )


texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=5)
spaced = st.lists(st.tuples(st.sampled_from(["", " ", "  "]), texts), max_size=8)


@given(st.lists(spaced, max_size=4))
def test_words_of_any_script_are_found_where_they_were(lines: list[list[tuple[str, str]]]) -> None:
    segments = tuple(
        Segment(
            start_s=10.0 * line,
            end_s=10.0 * line + 9,
            text="".join(space + text for space, text in words),
            tokens=(),
            window_start_s=0.0,
            temperature=0.0,
            avg_logprob=0.0,
            no_speech_prob=0.0,
            compression_ratio=0.0,
            words=tuple(
                Word(space + text, 10.0 * line + at, 10.0 * line + at + 0.5)
                for at, (space, text) in enumerate(words)
            ),
        )
        for line, words in enumerate(lines)
    )
    ours = Transcript("en", "transcribe", 100.0, segments)
    assert read(verbose_json(ours, ["word", "segment"])) == ours


def test_words_that_were_corrected_have_no_times_and_the_others_keep_theirs() -> None:
    heard = said(" Hello there, General Kenobi!", "Helo", "there", "general", "Kenobi")
    (segment,) = read(heard).segments
    assert starts(segment.words) == {
        " Hello": None,
        " there,": 1.0,
        " General": 2.0,
        " Kenobi!": 3.0,
    }


def test_words_that_were_taken_out_or_put_in_move_no_others() -> None:
    fewer = read(said(" one four", "one", "two", "three", "four")).segments[0]
    more = read(said(" one and a half two", "one", "two")).segments[0]
    assert starts(fewer.words) == {" one": 0.0, " four": 3.0}
    assert list(starts(more.words).values()) == [0.0, None, None, None, 1.0]
    assert "".join(word.text for word in more.words) == " one and a half two"


def test_what_is_not_told_is_not_made_up() -> None:
    heard = read({"segments": [{"start": 1, "end": 2.5, "text": "Hello"}]})
    assert (heard.duration_s, heard.segments[0].words, heard.segments[0].speaker) == (2.5, (), None)
    assert read({"segments": []}) == Transcript("en", "transcribe", 0.0, ())


def test_a_language_that_whisper_does_not_know_is_handed_on() -> None:
    said = verbose_json(read({"segments": [], "language_code": "nb"}))
    assert (said["language"], said["language_code"]) == ("nb", "nb")


def test_segments_are_put_in_order_of_time() -> None:
    late, early = {"start": 5, "end": 6, "text": "b"}, {"start": 1, "end": 2, "text": "a"}
    assert read({"segments": [late, early]}).text == "ab"


@pytest.mark.timeout(20)  # a search from every space takes 3 s a segment, in which nobody else runs
def test_spaces_at_the_end_of_a_segment_cost_nothing() -> None:
    text = "x" + " " * (SEGMENT_CHARACTERS_MAX - 1)
    segments = [{"start": at, "end": at + 1, "text": text} for at in range(30)]
    words = [{"word": "y", "start": at, "end": at + 1} for at in range(30)]
    heard = read({"segments": segments, "words": words})
    assert {word.text for segment in heard.segments for word in segment.words} == {"x"}


def change(**fields: Any) -> dict[str, Any]:
    return {"segments": [{"start": 0, "end": 1, "text": "a", **fields}]}


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (None, "transcript"),
        ({}, "transcript.segments"),
        ({"segments": "a"}, "transcript.segments"),
        (change(start="soon"), "transcript.segments.0.start"),
        (change(end=float("nan")), "transcript.segments.0.end"),
        (change(end=-1), "transcript.segments.0.end"),
        (change(text=None), "transcript.segments.0.text"),
        (change(text="a" * (SEGMENT_CHARACTERS_MAX + 1)), "transcript.segments.0.text"),
        (change(speaker="A\nB"), "transcript.segments.0.speaker"),
        (change(speaker="A\u2028B"), "transcript.segments.0.speaker"),
        (change(speaker="a" * (SPEAKER_CHARACTERS_MAX + 1)), "transcript.segments.0.speaker"),
        (change(no_speech_prob=2), "transcript.segments.0.no_speech_prob"),
        ({"segments": [], "words": [{"word": "a", "start": 0}]}, "transcript.words.0.end"),
        (
            {
                "segments": [],
                "words": [{"word": "a" * (WORD_CHARACTERS_MAX + 1), "start": 0, "end": 1}],
            },
            "transcript.words.0.word",
        ),
        ({"segments": [], "language_code": "<x>"}, "transcript.language_code"),
        ({"segments": [None] * (SEGMENTS_MAX + 1)}, "transcript.segments"),
        ({"segments": [], "words": [None] * (WORDS_MAX + 1)}, "transcript.words"),
    ],
)
def test_what_cannot_be_used_is_named(value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read(value)
    assert refusal.value.param is not None
    assert refusal.value.param.startswith(param)
    assert refusal.value.message.startswith(f"{refusal.value.param}: ")
    assert len(refusal.value.message) < 300
