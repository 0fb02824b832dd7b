"""How subtitles are laid out, by example."""

from __future__ import annotations

import pytest

from asr.pipeline.cues import Cue, Layout, Mark, guesses_times, lay_out
from asr.pipeline.types import Segment, Word

KENNEDY = (
    " And so, my fellow Americans, ask not what your country can do for you."
    " Ask what you can do for your country."
)


def segment(
    start_s: float,
    end_s: float,
    text: str,
    words: tuple[Word, ...] = (),
    speaker: str | None = None,
) -> Segment:
    return Segment(start_s, end_s, text, (), 0.0, 0.0, 0.0, 0.0, 1.0, words, speaker)


def spoken(
    start_s: float, text: str, speaker: str | None = None, *, word_s: float = 0.5
) -> Segment:
    """A segment whose words last as long as each other."""
    words = tuple(
        Word(f" {word}", start_s + at * word_s, start_s + (at + 1) * word_s, 0.9, speaker)
        for at, word in enumerate(text.split())
    )
    return segment(start_s, start_s + len(words) * word_s, text, words, speaker)


def texts(segments: list[Segment], layout: Layout, *, speakers: bool = False) -> list[str]:
    return ["/".join(cue.lines) for cue in lay_out(segments, layout, speakers=speakers)]


def times(cues: tuple[Cue, ...]) -> list[tuple[float, float]]:
    return [(cue.start_s, cue.end_s) for cue in cues]


def test_a_cue_is_a_segment_unless_something_is_asked() -> None:
    said = [spoken(0.5, " One\n\ntwo."), segment(3.0, 4.0, " Three.", speaker="A")]
    assert lay_out(said, speakers=True) == (
        Cue(0.5, 1.5, ("One two.",)),
        Cue(3.0, 4.0, ("[A] Three.",)),
    )


def test_lines_alone_change_nothing_but_width_breaks_the_lines_of_a_segment() -> None:
    said = [spoken(0, KENNEDY), spoken(20, " Thank you.")]
    assert texts(said, Layout(lines_max=2)) == [KENNEDY.strip(), "Thank you."]
    assert texts(said, Layout(line_width_max=42)) == [
        "And so, my fellow Americans,/ask not what your country can do for you."
        "/Ask what you can do for your country.",
        "Thank you.",
    ]


def test_width_and_lines_together_make_cues_anew_that_end_with_sentences() -> None:
    said = [spoken(0, KENNEDY), spoken(12.5, " So he said."), spoken(14.0, " Thank you.")]
    assert texts(said, Layout(line_width_max=42, lines_max=2)) == [
        "And so, my fellow Americans,/ask not what your country can do for you.",
        "Ask what you can do for your country./So he said. Thank you.",
    ]


def test_text_does_not_flow_over_a_long_pause() -> None:
    said = [spoken(0, " One two"), spoken(3.0, " three.")]
    assert texts(said, Layout(line_width_max=42, lines_max=2)) == ["One two", "three."]


@pytest.mark.parametrize(
    ("layout", "cues"),
    [
        (Layout(line_words_max=3), ["One, two, three", "four five six."]),
        (Layout(line_words_max=4), ["One, two,", "three four five six."]),
        (Layout(line_words_max=3, line_width_max=5), ["One,/two,/three", "four/five/six."]),
        (
            Layout(line_words_max=1, line_width_max=42, lines_max=3),
            ["One,/two,/three", "four/five/six."],
        ),
    ],
)
def test_the_words_of_a_line_are_those_of_a_cue_unless_text_flows(
    layout: Layout, cues: list[str]
) -> None:
    assert texts([spoken(0, " One, two, three four five six.")], layout) == cues


def test_no_cue_stands_longer_than_it_may() -> None:
    cues = lay_out([spoken(0, " One two, three. Four five six. Seven")], Layout(cue_s_max=1.75))
    assert [(cue.start_s, cue.end_s, cue.lines) for cue in cues] == [
        (0.0, 1.5, ("One two, three.",)),
        (1.5, 3.0, ("Four five six.",)),
        (3.0, 3.5, ("Seven",)),
    ]


def test_a_word_that_lasts_too_long_is_cut_off() -> None:
    assert times(lay_out([spoken(1, " Ooooh", word_s=9)], Layout(cue_s_max=2.0))) == [(1.0, 3.0)]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((("a", 0, 1), ("b", 1, 1), ("c", 1, 3)), [(0, 1), (1, 1.1), (1.1, 3)]),
        ((("a", 0, 1), ("b", 1, 1), ("c", 2, 3)), [(0, 1), (1, 1.1), (2, 3)]),
        ((("a", 0, 0), ("b", 0, 0), ("c", 0, 2)), [(0, 0.1), (0.1, 0.2), (0.2, 2)]),
        ((("a", 0, 2), ("b", 2, 2), ("c", 2, 2)), [(0, 1.8), (1.8, 1.9), (1.9, 2)]),
        ((("a", 0, 0.03), ("b", 0.03, 0.03)), [(0, 0.02), (0.02, 0.03)]),
        ((("a", 0, 1), ("b", 1, 1.0004), ("c", 1.0004, 2)), [(0, 1), (1, 1.1), (1.1, 2)]),
    ],
    ids=["the next waits", "there is room", "first", "last", "little room", "rounded to nothing"],
)
@pytest.mark.parametrize("highlighted", [False, True])
def test_a_word_without_length_is_lent_some(
    words: tuple[tuple[str, float, float], ...],
    shown: list[tuple[float, float]],
    highlighted: bool,
) -> None:
    layout = Layout(line_words_max=1, highlight_words=highlighted)
    cues = lay_out([timed(*words)], layout)
    assert [cue.lines for cue in cues] == [(word,) for word, _, _ in words]
    assert [time_s for pair in times(cues) for time_s in pair] == pytest.approx(
        [time_s for pair in shown for time_s in pair]
    )


@pytest.mark.timeout(20)  # to try each word with each takes a minute and more
@pytest.mark.parametrize("layout", [Layout(cue_s_max=60.0), Layout(highlight_words=True)])
def test_a_long_segment_takes_as_long_as_its_words(layout: Layout) -> None:
    cues = lay_out([segment(0.0, 2.0, " a" * 10_000)], layout)
    assert {len(line.split()) for cue in cues for line in cue.lines} <= set(range(1, 101))
    assert " ".join(line for cue in cues for line in cue.lines) == " ".join("a" * 10_000)


def test_what_is_highlighted_is_written_again_for_each_of_a_hundred_words_at_most() -> None:
    cues = lay_out([spoken(0.0, " a" * 1000)], Layout(highlight_words=True))
    assert len(cues) == 1000
    assert max(len(line) for cue in cues for line in cue.lines) < 200


def test_text_without_words_has_its_share_of_the_time() -> None:
    cues = lay_out([segment(10.0, 20.0, " abcd, efg.")], Layout(cue_s_max=7.0))
    assert [(cue.start_s, cue.end_s, cue.lines) for cue in cues] == [
        (10.0, 16.0, ("abcd,",)),
        (16.0, 20.0, ("efg.",)),
    ]


def test_words_without_times_have_theirs_between_their_neighbours() -> None:
    words = (Word(" a"), Word(" b", 2.0, 3.0), Word(" c"), Word(" d"), Word(" e", 5.0, 6.0))
    cues = lay_out([segment(1.0, 6.0, " a b c d e", words)], Layout(line_words_max=1))
    assert [cue.start_s for cue in cues] == pytest.approx([1.0, 2.0, 3.0, 3.0 + 2 * 2 / 3, 5.0])
    assert [cue.end_s for cue in cues] == pytest.approx([2.0, 3.0, 3.0 + 2 * 2 / 3, 5.0, 6.0])


def test_a_no_break_space_has_no_time_of_its_own() -> None:
    said = [segment(3.0, 4.0, " a"), segment(4.0, 6.0, " \u00a0b\u00a0", (Word(" b", 4.5, 5.0),))]
    assert times(lay_out(said, Layout(cue_s_max=9.0))) == [(3.0, 4.0), (4.5, 5.0)]


def test_no_word_stands_alone_on_the_last_line_if_it_need_not() -> None:
    layout = Layout(line_width_max=16)
    assert texts([spoken(0, " one two three, four")], layout) == ["one two/three, four"]
    assert texts([spoken(0, " one two three? Four")], layout) == ["one two three?/Four"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("昨日、私は東京タワーへ行きました。", "昨日、私は/東京タワーへ/行きました。"),
        ("我想（看看）iPhone15。", "我想（看看）/iPhone15。"),
        ("ไปเที่ยวทะเล สวยมาก", "ไปเที่ยวทะเล/สวยมาก"),
        (" 안녕하세요 여러분 반갑습니다", "안녕하세요/여러분/반갑습니다"),
        (" שלום עולם, מה שלומך?", "שלום עולם,/מה שלומך?"),
        (" 15\u00a0000\u00a0€ bitte sehr", "15\u00a0000\u00a0€/bitte sehr"),
    ],
)
def test_every_script_breaks_where_it_may_in_logical_order(text: str, lines: str) -> None:
    assert texts([segment(0, 5, text)], Layout(line_width_max=14)) == [lines]


def timed(*words: tuple[str, float, float]) -> Segment:
    """A segment of words that are spoken from one time to another."""
    text = "".join(f" {word}" for word, _, _ in words)
    placed = tuple(Word(f" {word}", start_s, end_s) for word, start_s, end_s in words)
    return segment(words[0][1], words[-1][2], text, placed)


def test_shares_are_even() -> None:
    assert texts([spoken(0, " a b c d e f")], Layout(line_words_max=4)) == ["a b c", "d e f"]


def test_a_cue_that_ends_one_sentence_does_not_begin_another_that_it_cannot_end() -> None:
    said = [spoken(0, " One two three. Four five six seven eight nine ten.")]
    assert texts(said, Layout(line_words_max=5)) == [
        "One two three.",
        "Four five six",
        "seven eight nine ten.",
    ]


@pytest.mark.parametrize(
    ("silence_s", "cues"),
    [(0.3, ["a b c", "d e f"]), (0.5, ["a b", "c d e f"]), (1.6, ["a b", "c d e f"])],
)
def test_a_breath_is_a_good_place_to_break(silence_s: float, cues: list[str]) -> None:
    late_s = 2.0 + silence_s
    rest = [(word, late_s + at, late_s + at + 1) for at, word in enumerate("cdef")]
    said = [timed(("a", 0, 1), ("b", 1, 2), *rest)]
    assert texts(said, Layout(line_words_max=4)) == cues


def test_a_long_silence_is_a_better_place_than_a_breath() -> None:
    said = [timed(("a", 0, 1), ("b", 3, 4), ("c", 4, 5), ("d", 5.5, 6.5), ("e", 6.5, 7.5))]
    assert texts(said, Layout(line_words_max=4)) == ["a", "b c d e"]
    assert texts(said, Layout(line_width_max=9)) == ["a b c d e"]  # a segment that fits stays


def test_no_cue_flashes_by_if_it_need_not() -> None:
    said = [timed(("a,", 0, 0.1), ("b", 0.1, 1), ("c", 1, 2), ("d", 2, 3), ("e", 3, 4))]
    assert texts(said, Layout(line_words_max=4)) == ["a, b", "c d e"]


def test_a_cue_stands_until_the_last_of_overlapping_words_is_over() -> None:
    said = [timed(("one", 0, 4)), timed(("two", 1, 2), ("three", 2, 4.5))]
    cues = lay_out(said, Layout(line_width_max=9, lines_max=1))
    assert [(cue.end_s, cue.lines) for cue in cues] == [(4.0, ("one two",)), (4.5, ("three",))]


def test_a_large_screen_is_filled() -> None:
    said = [spoken(at, " word", word_s=1.0) for at in range(60)]
    assert len(lay_out(said, Layout(line_width_max=100, lines_max=5))) == 1


def test_a_speakers_name_takes_room_on_the_first_line() -> None:
    said = [spoken(0, " one two three four", "SPEAKER_00")]
    layout = Layout(line_width_max=20)
    assert texts(said, layout) == ["one two three four"]
    assert texts(said, layout, speakers=True) == ["[SPEAKER_00] one/two three four"]


def test_a_new_speaker_has_a_new_cue_also_within_a_segment() -> None:
    words = (Word(" a", 0, 1, None, "X"), Word(" b"), Word(" c", 2, 3, None, "Y"), Word(" d", 3, 4))
    said = [segment(0, 4, " a b c d", words, "X"), segment(4, 5, " e", speaker="Y")]
    layout = Layout(line_width_max=42, lines_max=2)
    assert texts(said, layout) == ["a b", "c d e"]
    assert texts(said, layout, speakers=True) == ["[X] a b", "[Y] c d e"]


def test_who_spoke_the_first_word_that_is_known_spoke_those_before_it() -> None:
    said = [segment(0, 2, " a b", (Word(" a"), Word(" b", 1, 2, None, "Y")), "X")]
    assert texts(said, Layout(line_words_max=9), speakers=True) == ["[Y] a b"]


def test_segments_flow_together_with_a_space_where_their_script_has_spaces() -> None:
    layout = Layout(line_width_max=42, lines_max=2)
    assert texts([segment(0, 2, "你好。"), segment(2, 4, "世界")], layout) == ["你好。世界"]
    assert texts([segment(0, 2, "One."), segment(2, 4, "Two.")], layout) == ["One. Two."]


def test_the_word_that_is_spoken_is_marked_and_none_in_between() -> None:
    words = (Word(" Hi", 0.0, 1.0), Word(" there", 1.5, 2.0), Word(".", 2.0, 2.0))
    layout = Layout(line_width_max=9, highlight_words=True)
    lines = ("[A] Hi", "there.")
    assert lay_out([segment(0.0, 2.0, " Hi there.", words, "A")], layout, speakers=True) == (
        Cue(0.0, 1.0, lines, Mark(0, 4, 6)),
        Cue(1.0, 1.5, lines),
        Cue(1.5, 2.0, lines, Mark(1, 0, 6)),
    )


def test_text_without_words_is_not_highlighted() -> None:
    said = [segment(0.0, 2.0, " Hi there.")]
    assert lay_out(said, Layout(highlight_words=True)) == (Cue(0.0, 2.0, ("Hi there.",)),)


@pytest.mark.parametrize(
    ("layout", "wants"),
    [
        (Layout(), False),
        (Layout(line_width_max=42), False),
        (Layout(lines_max=2), False),
        (Layout(line_width_max=42, lines_max=2), True),
        (Layout(line_words_max=3), True),
        (Layout(highlight_words=True), True),
        (Layout(cue_s_max=7.0), True),
    ],
)
def test_times_are_guessed_where_a_layout_wants_words_that_are_not_there(
    layout: Layout, wants: bool
) -> None:
    timed, bare = spoken(0, " One two."), segment(1, 2, " Three.", (Word(" Three."),))
    assert (layout.wants_words, guesses_times([timed, bare], layout)) == (wants, wants)
    assert not guesses_times([timed], layout)
