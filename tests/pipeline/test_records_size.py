"""Records are small: what an hour of speech comes to."""

import math

from asr.pipeline import records
from asr.pipeline.types import Segment, Transcript, Word


def test_an_hour_is_small() -> None:
    """About what English has: 9000 words, and 1200 lines of them."""
    spoken = [f" {'etaoinshrdlu'[: 1 + at * 7 % 11]}" for at in range(9000)]
    said = tuple(
        Word(text, at * 0.4, at * 0.4 + 0.31, math.sin(at) ** 2, f"SPEAKER_0{at // 500 % 3}")
        for at, text in enumerate(spoken)
    )
    lines = tuple(
        Segment(
            line * 3.0,
            line * 3.0 + 2.9,
            "".join(spoken[line * 7 : line * 7 + 7]),
            tuple(line * each % 50_000 for each in range(1, 10)),
            line // 10 * 30.0,
            0.0,
            -(math.cos(line) ** 2),
            0.01,
            1.5,
            said[line * 7 : line * 7 + 7],
            "SPEAKER_00",
        )
        for line in range(1200)
    )
    hour = Transcript("en", "transcribe", 3600.0, lines)
    record = records.dump_transcript(hour)
    assert records.load_transcript(record) == hour
    assert len(record) < 400_000
