"""A hook of schemathesis: what it makes up for a file is no sound, so half of the files are one."""

from __future__ import annotations

import io
import wave
from itertools import count
from typing import Any

import schemathesis

FILES = ("file", "audio_file")
NUMBERS = count()


def second_of_silence() -> bytes:
    """The smallest file that is worth decoding."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(32_000))
    return file.getvalue()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Put a sound where a file goes, in every other request that has one."""
    if isinstance(case.body, dict) and next(NUMBERS) % 2 == 0:
        case.body |= dict.fromkeys(set(FILES) & set(case.body), second_of_silence())
