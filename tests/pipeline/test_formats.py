"""Every format of two transcripts against golden files: a hard one and an empty one."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from asr.pipeline.formats import (
    CLASSIC,
    OPENAI,
    WRAPPED,
    Granularity,
    asr_json,
    openai_json,
    verbose_json,
)
from asr.pipeline.types import Segment, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"
HOUR_S = 3600.0


def segment(start_s: float, end_s: float, text: str, **changes: Any) -> Segment:
    heard = Segment(start_s, end_s, text, (50364, 50414), 0.0, 0.2, -0.25, 0.125, 1.5)
    return replace(heard, **changes)


HARD = Transcript(
    language="he",
    task="transcribe",
    duration_s=100 * HOUR_S + 7.25,
    segments=(
        segment(
            0.0004,
            1.9996,
            " Look --> there ---> and\tthere.",
            speaker="SPEAKER_00",
            words=(
                Word(" Look", 0.1, 0.5, 0.875, "SPEAKER_00"),
                Word(" -->"),  # could not be placed
                Word(" there.", 1.5, 1.9996, 0.5),
            ),
        ),
        segment(59.9996, 61.5, " שלום עולם", speaker="SPEAKER_01", window_start_s=30.01),
        segment(61.5, 3599.9999, "你好。\n\n世界", window_start_s=60.0),
        segment(100 * HOUR_S, 100 * HOUR_S + 7.25, " 1 < 2 & R&D", tokens=()),
    ),
    warnings=("hotwords were put before the prompt",),
)
WORD: tuple[Granularity, ...] = ("word",)
EMPTY = Transcript("en", "transcribe", 0.0, ())

SHAPES: dict[str, Callable[[Transcript], dict[str, Any]]] = {
    "asr.json": partial(asr_json, listed=False),
    "asr-listed.json": partial(asr_json, listed=True),
    "openai.json": openai_json,
    "verbose.json": verbose_json,
    "verbose-words.json": lambda said: verbose_json(said, WORD),
    "verbose-both.json": lambda said: verbose_json(said, ("segment", "word")),
}

FILES: dict[str, Callable[[Transcript], str]] = {
    "classic.txt": CLASSIC["txt"].write,
    "classic.srt": CLASSIC["srt"].write,
    "classic.vtt": CLASSIC["vtt"].write,
    "classic.tsv": CLASSIC["tsv"].write,
    "speakers.txt": partial(WRAPPED["text"].write, speakers=True),
    "speakers.srt": partial(WRAPPED["srt"].write, speakers=True),
    "speakers.vtt": partial(WRAPPED["vtt"].write, speakers=True),
    "speakers.tsv": partial(WRAPPED["tsv"].write, speakers=True),
    "openai.txt": OPENAI["text"].write,
}


def golden(name: str) -> str:
    return (GOLDEN / name).read_bytes().decode()


@pytest.mark.parametrize("name", FILES)
def test_a_hard_transcript_is_written_as_the_golden_file(name: str) -> None:
    assert FILES[name](HARD) == golden(f"hard-{name}")


@pytest.mark.parametrize("name", SHAPES)
def test_a_hard_transcript_is_told_as_the_golden_object(name: str) -> None:
    assert SHAPES[name](HARD) == json.loads(golden(f"hard-{name}"))


@pytest.mark.parametrize("name", SHAPES)
def test_an_empty_transcript_is_told_as_the_golden_object(name: str) -> None:
    assert SHAPES[name](EMPTY) == json.loads(golden(f"empty-{name}"))


def test_an_empty_transcript_is_a_valid_empty_file() -> None:
    assert {name: write(EMPTY) for name, write in FILES.items()} == {
        "classic.txt": "",
        "classic.srt": "",
        "classic.vtt": "WEBVTT\n\n",
        "classic.tsv": "start\tend\ttext\n",
        "speakers.txt": "",
        "speakers.srt": "",
        "speakers.vtt": "WEBVTT\n\n",
        "speakers.tsv": "start\tend\ttext\tspeaker\n",
        "openai.txt": "",
    }


def test_speakers_change_no_table() -> None:
    assert CLASSIC["tsv"].write(HARD, speakers=True) == CLASSIC["tsv"].write(HARD)
    assert WRAPPED["tsv"].write(HARD, speakers=True) == WRAPPED["tsv"].write(HARD)


def test_openais_text_is_one_line_until_speakers_are_asked() -> None:
    said = replace(HARD, segments=(segment(0, 1, " One."), segment(1, 2, " Two.", speaker="A")))
    write = OPENAI["text"].write
    assert (write(said), write(said, speakers=True)) == ("One. Two.\n", "One.\n[A] Two.\n")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_json_holds_finite_numbers_only(shape: Callable[[Transcript], dict[str, Any]]) -> None:
    lost = Word(" lost", 0.0, 1.0, math.nan)
    measures = dict.fromkeys(("avg_logprob", "no_speech_prob", "compression_ratio"), math.inf)
    broken = replace(HARD, segments=(segment(0, 1, " lost", words=(lost,), **measures),))
    assert json.dumps(shape(broken), allow_nan=False)


def test_verbose_json_of_a_translation_is_english() -> None:
    told = verbose_json(replace(EMPTY, language="de", task="translate"))
    assert (told["task"], told["language"], told["language_code"]) == ("translate", "english", "en")


def test_the_asr_object_of_a_translation_tells_the_language_that_was_spoken() -> None:
    told = asr_json(replace(EMPTY, language="de", task="translate"), listed=False)
    assert told["language"] == "de"


def test_vtt_is_text_vtt_for_openai_and_plain_text_for_the_classic_dialect() -> None:
    types = (OPENAI["vtt"].content_type, CLASSIC["vtt"].content_type)
    assert types == ("text/vtt; charset=utf-8", "text/plain; charset=utf-8")
