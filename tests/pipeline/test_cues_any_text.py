"""What holds of cues whatever the text, the times of its words, and the layout."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from asr.pipeline.cues import Cue, Layout, lay_out
from asr.pipeline.scripts import parts, width
from asr.pipeline.types import Segment, Word

WORDS = "a word ? « Long-winded end. so, Mr. 12 -- > <b> 日本 。 、 ー （字） สวัสดี 한국어 שלום كيف؟"
RARE = ("😀", "👩\u200d👧", "\u00a0", "e\u0301", "\u3000", "42\u00a0€")
PIECES = st.sampled_from([*WORDS.split(" "), *RARE])
SPACES = st.sampled_from([" ", " ", " ", "", "\n", "\t", "\n\n", "  "])
TIMES = st.floats(0.0, 60.0)
SPEAKERS = st.sampled_from([None, None, "A", "SPEAKER_01"])


@st.composite
def any_word(draw: st.DrawFn, text: str) -> Word:
    start_s, end_s = draw(st.just((None, None)) | st.tuples(TIMES, TIMES))
    return Word(text, start_s, end_s, None, draw(SPEAKERS))


@st.composite
def any_segments(draw: st.DrawFn, *, apart: bool) -> list[Segment]:
    """Segments in order; their words may lie anywhere, be without times, or not in the text."""
    segments: list[Segment] = []
    start_s = end_s = 0.0
    for _ in range(draw(st.integers(1, 4))):
        start_s = (end_s if apart else start_s) + draw(st.sampled_from([0.0, 0.0, 0.3, 2.0, 9.0]))
        end_s = max(end_s, start_s) + draw(st.sampled_from([0.01, 1.0, 5.0, 30.0]))
        spelled = [space + piece for space, piece in draw(st.lists(st.tuples(SPACES, PIECES)))]
        kept = draw(st.sampled_from([[], spelled, spelled[1::2], ["not", "there"]]))
        words = tuple(draw(any_word(text)) for text in kept)
        text, speaker = "".join(spelled), draw(SPEAKERS)
        segments.append(Segment(start_s, end_s, text, (), 0.0, 0.0, 0.0, 0.0, 1.0, words, speaker))
    return segments


LAYOUTS = st.builds(
    Layout,
    line_width_max=st.none() | st.integers(1, 50),
    lines_max=st.none() | st.integers(1, 3),
    line_words_max=st.none() | st.integers(1, 6),
    cue_s_max=st.none() | st.floats(0.5, 10.0),
)


def squeezed(text: str) -> str:
    return "".join(text.split())


def said_by(cue: Cue) -> tuple[str, ...]:
    """The lines of a cue without the speaker's name."""
    first, *rest = cue.lines
    return (first.removeprefix("[A] ").removeprefix("[SPEAKER_01] "), *rest)


def seen(cue: Cue) -> bool:
    """Whether it has a length in the milliseconds of subtitles."""
    return round(cue.start_s * 1000) < round(cue.end_s * 1000)


def crowded(said: list[Segment], cues: tuple[Cue, ...]) -> bool:
    """Whether there is not the time for each of the cues to be seen."""
    spoken = [each for each in said if each.text.strip()]
    there_s = max(each.end_s for each in spoken) - spoken[0].start_s
    return 1000 * there_s < 2 * (len(cues) + 1)


@given(any_segments(apart=False), LAYOUTS, st.booleans(), st.booleans())
def test_every_word_is_there_once_and_in_order(
    said: list[Segment], layout: Layout, highlighted: bool, speakers: bool
) -> None:
    cues = lay_out(said, layout, speakers=speakers)
    shown = squeezed("".join("".join(said_by(cue)) for cue in cues))
    assert shown == squeezed("".join(each.text for each in said))


@given(any_segments(apart=True), LAYOUTS, st.booleans())
def test_cues_are_in_order_within_the_audio_and_apart_where_segments_are(
    said: list[Segment], layout: Layout, speakers: bool
) -> None:
    cues = lay_out(said, layout, speakers=speakers)
    flat = [time_s for cue in cues for time_s in (cue.start_s, cue.end_s)]
    assert flat == sorted(flat)
    assert all(said[0].start_s <= time_s <= said[-1].end_s for time_s in flat)
    assert all(map(seen, cues)) or crowded(said, cues)


@given(any_segments(apart=False), LAYOUTS)
def test_cues_do_not_run_backwards_where_segments_overlap(
    said: list[Segment], layout: Layout
) -> None:
    cues = lay_out(said, layout)
    assert all(one.start_s <= next_.start_s for one, next_ in pairwise(cues))
    assert all(map(seen, cues)) or crowded(said, cues)


@given(any_segments(apart=False), LAYOUTS, st.booleans())
def test_cues_keep_to_the_layout_unless_a_word_alone_does_not(
    said: list[Segment], layout: Layout, speakers: bool
) -> None:
    for cue in lay_out(said, layout, speakers=speakers):
        words = [len(list(parts(line))) for line in said_by(cue)]
        if layout.line_width_max and not layout.plain:
            wide = [width(line) > layout.line_width_max for line in cue.lines]
            assert not any(wide_ and count > 1 for wide_, count in zip(wide, words, strict=True))
        if layout.flowing and layout.lines_max:
            assert len(cue.lines) <= layout.lines_max
        if layout.line_words_max:
            assert (max(words) if layout.flowing else sum(words)) <= layout.line_words_max
        if layout.cue_s_max:
            assert cue.end_s - cue.start_s <= layout.cue_s_max + 1e-9


@given(any_segments(apart=True), LAYOUTS, st.booleans())
def test_highlighting_shows_each_cue_for_its_whole_time_with_a_whole_word_marked(
    said: list[Segment], layout: Layout, speakers: bool
) -> None:
    assume(not layout.plain)  # highlighting lays text out, which may part what is plain
    plain = lay_out(said, layout, speakers=speakers)
    marked = lay_out(said, replace(layout, highlight_words=True), speakers=speakers)
    assert [key for key, _ in groupby(cue.lines for cue in marked)] == [
        key for key, _ in groupby(cue.lines for cue in plain)
    ]
    flat = [time_s for cue in marked for time_s in (cue.start_s, cue.end_s)]
    assert flat == sorted(flat)
    for cue in marked:
        if cue.mark:
            word = cue.lines[cue.mark.line][cue.mark.start : cue.mark.end]
            assert squeezed(word)
            assert cue.end_s > cue.start_s
