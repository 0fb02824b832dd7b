"""The golden subtitles, read by the libraries that players and clients read them with."""

from __future__ import annotations

from itertools import groupby

import pysubs2
import pytest
import webvtt

from asr.pipeline.cues import Layout, lay_out
from asr.pipeline.subtitles import ARROW, srt, text, tsv, vtt
from asr.pipeline.types import Segment, Transcript, Word
from tests.pipeline.golden_files import GOLDEN, HARD, KARAOKE, SCREEN

# What is laid out how in the golden files: with speakers, and in which layout.
KEPT = {
    "subtitles": (False, Layout()),
    "subtitles-speakers": (True, Layout()),
    "subtitles-42x2": (True, SCREEN),
    "subtitles-highlighted": (False, KARAOKE),
}
WRAP_MS = 100 * 3_600_000  # pysubs2 reads two digits of hours

Shown = tuple[int, int, str]


def golden(name: str) -> str:
    return (GOLDEN / "hard" / name).read_text(encoding="utf-8")


def expected(name: str) -> list[Shown]:
    """The cues in milliseconds, without marks."""
    speakers, layout = KEPT[name]
    cues = lay_out(HARD.segments, layout, speakers=speakers)
    return [
        (round(cue.start_s * 1000), round(cue.end_s * 1000), ARROW.sub("->", "\n".join(cue.lines)))
        for cue in cues
    ]


def read_vtt(text: str) -> list[Shown]:
    return [
        (
            cue.start_in_seconds * 1000 + cue.start_time.milliseconds,
            cue.end_in_seconds * 1000 + cue.end_time.milliseconds,
            cue.text.replace("&lt;", "<"),
        )
        for cue in webvtt.from_string(text).captions
    ]


@pytest.mark.parametrize("name", KEPT)
def test_pysubs2_reads_from_srt_what_was_laid_out(name: str) -> None:
    read = pysubs2.SSAFile.from_string(golden(f"{name}.srt"), format_="srt", keep_html_tags=True)
    shown = [(e.start, e.end, e.text.replace(r"\N", "\n")) for e in read]
    assert [(start, end, bare(text)) for start, end, text in shown] == [
        (start % WRAP_MS, end % WRAP_MS, text) for start, end, text in expected(name)
    ]


@pytest.mark.parametrize("name", KEPT)
def test_webvtt_reads_from_vtt_what_was_laid_out(name: str) -> None:
    assert read_vtt(golden(f"{name}.vtt")) == expected(name)


@pytest.mark.parametrize("name", KEPT)
def test_subtitles_hold_the_text_once_whatever_the_layout(name: str) -> None:
    texts = [text for text, _ in groupby(text for _, _, text in expected(name))]
    said = [ARROW.sub("->", segment.text) for segment in HARD.segments]
    shown = "".join(texts)
    for speaker in ("SPEAKER_00", "SPEAKER_01", "Zoë"):
        shown = shown.replace(f"[{speaker}]", "")
    assert "".join(shown.split()) == "".join("".join(said).split())


def bare(text: str) -> str:
    return text.replace("<u>", "").replace("</u>", "")


def test_the_word_that_is_spoken_is_underlined_and_what_it_says_is_no_tag() -> None:
    words = (Word(" a<b", 0.0, 1.0), Word(" -->", 1.0, 2.0))
    said = Segment(0.0, 2.0, " a<b -->", (), 0.0, 0.0, 0.0, 0.0, 1.0, words)
    transcript = Transcript("en", "transcribe", 2.0, (said,))
    assert srt(transcript, layout=KARAOKE) == (
        "1\n00:00:00,000 --> 00:00:01,000\n<u>a<b</u> ->\n\n"
        "2\n00:00:01,000 --> 00:00:02,000\na<b <u>-></u>\n\n"
    )
    assert vtt(transcript, layout=KARAOKE) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.000\n<u>a&lt;b</u> ->\n\n"
        "00:00:01.000 --> 00:00:02.000\na&lt;b <u>-></u>\n\n"
    )


def transcript(*segments: tuple[float, float, str]) -> Transcript:
    said = tuple(Segment(*segment, (), 0.0, 0.0, 0.0, 0.0, 1.0) for segment in segments)
    return Transcript("en", "transcribe", 9.0, said)


@pytest.mark.timeout(20)
def test_dashes_that_point_nowhere_are_looked_at_once() -> None:
    dashes = "-" * 300_000
    assert srt(transcript((0.0, 1.0, dashes))).split("\n")[2] == dashes


def test_a_segment_that_was_emptied_is_gone() -> None:
    emptied = transcript((0.0, 1.0, ""), (1.0, 2.0, " Hi."), (2.0, 3.0, " \n"))
    left = transcript((1.0, 2.0, " Hi."))
    for write in (srt, vtt, text, tsv):
        assert write(emptied) == write(left)


def test_players_read_every_cue_of_segments_without_length() -> None:
    said = transcript((0.0, 2.0, " One"), (2.0, 2.0004, " two"), (2.0004, 5.0, " three"))
    assert read_vtt(vtt(said)) == [(0, 2000, "One"), (2000, 2100, "two"), (2100, 5000, "three")]
