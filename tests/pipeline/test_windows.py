from __future__ import annotations

from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.pipeline.audio import Audio
from asr.pipeline.types import Hypothesis, Span, Window
from asr.pipeline.windows import Packer, rest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLE_S = 1 / 16_000


def audio(duration_s: float) -> Audio:
    return Audio(Path("never-read.raw"), round(duration_s * 16_000))


def cut(audio: Audio, spans: Iterable[Span], *, longest_s: float = 30.0) -> tuple[Window, ...]:
    """All of the windows, of spans that come one by one."""
    packer = Packer(audio, longest_s=longest_s)
    early = [window for span in spans for window in packer.add([span])]
    return (*early, *packer.end())


def times(windows: tuple[Window, ...]) -> list[tuple[float, float]]:
    return [(window.start_s, window.end_s) for window in windows]


@pytest.mark.parametrize(
    ("spans", "windows"),
    [
        ([], []),
        ([(1, 4)], [(1, 4)]),
        ([(1, 4), (6, 9)], [(1, 9)]),  # the pause between them comes along
        ([(1, 4), (6, 31)], [(1, 31)]),  # exactly 30 s
        ([(1, 4), (6, 31.5)], [(1, 4), (6, 31.5)]),
        ([(0, 20), (21, 40), (41, 50)], [(0, 20), (21, 50)]),
        ([(5, 70)], [(5, 35), (35, 65), (65, 70)]),
        ([(-1, 2), (98, 101), (101, 102)], [(0, 2), (98, 100)]),  # 100 s of audio
        ([(3, 3), (8, 7)], []),
    ],
)
def test_spans_are_packed_into_windows(
    spans: list[tuple[float, float]], windows: list[tuple[float, float]]
) -> None:
    assert times(cut(audio(100), [Span(*span) for span in spans])) == windows


def test_the_length_of_a_window_is_a_choice() -> None:
    assert times(cut(audio(100), [Span(0, 8), Span(9, 12)], longest_s=10)) == [(0, 8), (9, 12)]


@st.composite
def speech(draw: st.DrawFn, *, longest_s: float) -> list[Span]:
    """Spans in order of time that do not overlap."""
    lengths = st.tuples(st.floats(0, 20), st.floats(0.02, longest_s))
    steps = [step for pair in draw(st.lists(lengths, max_size=30)) for step in pair]
    ends = list(accumulate(steps))
    return [Span(start, end) for start, end in zip(ends[::2], ends[1::2], strict=True)]


@given(speech(longest_s=100.0), st.floats(0, 2000))
def test_windows_cover_all_speech_in_order_and_none_is_empty_or_too_long(
    spans: list[Span], duration_s: float
) -> None:
    heard = audio(duration_s)
    windows = cut(heard, spans)
    assert all(SAMPLE_S <= window.duration_s <= 30.0 + 1e-9 for window in windows)
    assert all(before.end_s <= after.start_s for before, after in pairwise(windows))
    assert all(window.start_s >= 0 and window.end_s <= heard.duration_s for window in windows)
    for span in spans:
        end_s = min(span.end_s, heard.duration_s)
        inside = sum(
            max(0.0, min(end_s, window.end_s) - max(span.start_s, window.start_s))
            for window in windows
        )
        assert inside >= end_s - span.start_s - 2 * SAMPLE_S


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:(?s).*torchcodec is not installed:UserWarning")
@settings(deadline=None)  # the first import of whispermlx takes seconds
@given(speech(longest_s=30.0))
def test_windows_are_whispermlxs_merged_chunks(spans: list[Span]) -> None:
    from whispermlx.diarize import Segment
    from whispermlx.vads.vad import Vad

    chunk: Any = Segment  # typed as if times were whole numbers
    chunks = [chunk(span.start_s, span.end_s, "UNKNOWN") for span in spans]
    merged = Vad.merge_chunks(chunks, 30, 0.5, None) if chunks else []
    assert times(cut(audio(2000), spans)) == [(chunk["start"], chunk["end"]) for chunk in merged]


@pytest.mark.parametrize(
    ("heard_until_s", "rest"),
    [
        (12.0, (12.0, 30.0)),
        (29.4, (29.4, 30.0)),
        (29.5, None),  # 0.5 s are not worth another look
        (30.0, None),
        (31.0, None),  # the model's clock runs on into the padding
        (10.6, (10.6, 30.0)),
        (10.4, (10.5, 30.0)),  # it has hardly moved on: what follows is not lost, nor for ever
        (10.0, (10.5, 30.0)),
    ],
)
def test_what_a_window_leaves_unheard_is_decoded_next(
    heard_until_s: float, rest: tuple[float, float] | None
) -> None:
    window = Window(audio(60), 10.0, 30.0)
    left = rest_of(Hypothesis(window, (), heard_until_s, 0.0, -0.25, 0.1, 1.5))
    assert left == (Window(window.audio, *rest) if rest else None)


def test_nothing_of_a_silent_window_is_decoded_again() -> None:
    assert rest_of(Hypothesis(Window(audio(60), 0, 30), (), 12.0, 0.0, -1.5, 0.9, 1.5)) is None
