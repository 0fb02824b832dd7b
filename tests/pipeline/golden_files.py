"""The files in golden/: one hard transcript and an empty one, in every format there is.

When an output changes on purpose, write them anew from the repository's root, and read the diff:

    python -m tests.pipeline.golden_files
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.pipeline.cues import Layout
from asr.pipeline.formats import (
    CLASSIC,
    OPENAI,
    WRAPPED,
    asr_json,
    diarized_json,
    openai_json,
    verbose_json,
)
from asr.pipeline.speakers import Diarization
from asr.pipeline.types import Segment, Token, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.pipeline.formats import Granularity, Writer

GOLDEN = Path(__file__).parent / "golden"
HOUR_S = 3600.0


def segment(start_s: float, end_s: float, text: str, **changes: Any) -> Segment:
    heard = Segment(start_s, end_s, text, (50364, 50414), 0.0, 0.2, -0.25, 0.125, 1.5)
    return replace(heard, **changes)


def spoken(start_s: float, end_s: float, text: str, speaker: str, **changes: Any) -> Segment:
    """A segment whose words last as long as each other."""
    words = [f" {word}" for word in text.split()]
    step_s = (end_s - start_s) / len(words)
    placed = tuple(
        Word(word, start_s + at * step_s, start_s + (at + 1) * step_s, 0.875, speaker)
        for at, word in enumerate(words)
    )
    return segment(start_s, end_s, text, words=placed, speaker=speaker, **changes)


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
            said=(Token(b" Look", -0.125), Token(b" --", -1.5), Token(b">", float("-inf"))),
        ),
        spoken(
            2.0,
            10.0,
            " Mr. Fox said no, and so did we. But in the end, when all had gone home, it rained.",
            "SPEAKER_00",
        ),
        spoken(10.5, 12.0, " <i>R&D</i> 😀 & 👩‍👩‍👧?", "Zoë"),
        segment(59.9996, 61.5, " שלום עולם", speaker="SPEAKER_01", window_start_s=30.01),
        segment(61.5, 75.0, " مرحبا بكم، كيف حالكم؟ نحن بخير.", window_start_s=60.0),
        segment(
            HOUR_S - 15.0,
            HOUR_S - 0.0001,
            "你好。\n\n世界那么大，我想去看看。今天天气很好，我们一起去公园散步吧，然后回家吃饭。",
            window_start_s=HOUR_S - 30.0,
            said=(Token("你".encode(), -0.5), Token(b"\xe5\xa5", -2.0), Token(b"\xbd", -0.0)),
        ),
        segment(100 * HOUR_S, 100 * HOUR_S + 7.25, " 1 < 2", tokens=(), speaker="SPEAKER_00"),
    ),
    warnings=("hotwords were put before the prompt",),
    diarization=Diarization(
        turns=(),
        exclusive=(),
        voices={  # of one who says nothing, too, and of SPEAKER_01 none
            "SPEAKER_00": (0.6, -0.8, 0.0),
            "SPEAKER_02": (1.0, 0.0, 0.0),
            "Zoë": (1 / 3, 2 / 3, -2 / 3),
        },
        voice_model="of a test",
    ),
)
EMPTY = Transcript("en", "transcribe", 0.0, ())

WORDS: tuple[Granularity, ...] = ("word",)
BOTH: tuple[Granularity, ...] = ("segment", "word")
SCREEN = Layout(line_width_max=42, lines_max=2, cue_s_max=7.0)
KARAOKE = Layout(highlight_words=True)

SHAPES: dict[str, Callable[[Transcript], dict[str, Any]]] = {
    "asr.json": partial(asr_json, listed=False),
    "asr-listed.json": partial(asr_json, listed=True, embeddings=True),
    "openai.json": openai_json,
    "openai-logprobs.json": partial(openai_json, logprobs=True),
    "verbose.json": verbose_json,
    "verbose-words.json": lambda said: verbose_json(said, WORDS),
    "verbose-both.json": lambda said: verbose_json(said, BOTH),
    "diarized.json": diarized_json,
}


def subtitles(write: Writer, extension: str) -> dict[str, Callable[[Transcript], str]]:
    """A format with cues, in every layout that is kept."""
    return {
        f"subtitles.{extension}": write,
        f"subtitles-speakers.{extension}": partial(write, speakers=True),
        f"subtitles-42x2.{extension}": partial(write, speakers=True, layout=SCREEN),
        f"subtitles-highlighted.{extension}": partial(write, layout=KARAOKE),
    }


FILES: dict[str, Callable[[Transcript], str]] = {
    "lines.txt": CLASSIC["txt"].write,
    "lines-speakers.txt": partial(WRAPPED["text"].write, speakers=True),
    "running.txt": OPENAI["text"].write,
    "table.tsv": CLASSIC["tsv"].write,
    "table-speakers.tsv": WRAPPED["tsv"].write,
    **subtitles(CLASSIC["srt"].write, "srt"),
    **subtitles(OPENAI["vtt"].write, "vtt"),
}


def content(name: str, transcript: Transcript) -> str:
    """What the golden file of this name has to hold."""
    if name in FILES:
        return FILES[name](transcript)
    told = SHAPES[name](transcript)
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_all() -> None:
    """Write all files anew."""
    for folder, transcript in (("hard", HARD), ("empty", EMPTY)):
        for name in (*FILES, *SHAPES):
            (GOLDEN / folder / name).write_bytes(content(name, transcript).encode())


if __name__ == "__main__":
    write_all()
