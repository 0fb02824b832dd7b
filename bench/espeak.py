"""Speech whose words begin at known times: espeak-ng tells of each word where its sound begins.

Its library is called as its header says (``speak_lib.h``), because its program does not tell.
"""

import ctypes
import ctypes.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

SYNCHRONOUS = 2  # the output mode in which speaking calls back, and returns when it is done
BUFFER_MS = 500
BY_CHARACTER = 1  # how a position in a text is counted
UTF8 = 1
RATE, PITCH = 1, 3  # parameters
EVENTS_END, EVENT_WORD = 0, 1
AUDIBLE = 30  # of 32768: where espeak-ng is silent its samples are nearly 0


class Event(ctypes.Structure):
    """What is told beside the samples; times are from the first sample of the text."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("text_id", ctypes.c_uint),
        ("character", ctypes.c_int),  # from 1
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("what", ctypes.c_uint64),
    )


Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: one of espeak-ng's voices, words a minute, and pitch from 0 to 99."""

    name: str
    rate: int
    pitch: int = 50


@dataclass(frozen=True, slots=True)
class Onset:
    """A word of a text, and when it begins to be heard; None where that was not told."""

    word: str
    start_s: float | None


@dataclass(frozen=True, slots=True)
class Espeak:
    """The library, ready to speak; there is one in a process. ``rate`` is samples a second."""

    library: ctypes.CDLL
    rate: int

    @classmethod
    def open(cls) -> "Espeak":
        """Exits if espeak-ng is not installed."""
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            sys.exit("espeak-ng is not installed: its library (libespeak-ng) speaks the words")
        library = ctypes.CDLL(name)
        rate = int(library.espeak_Initialize(SYNCHRONOUS, BUFFER_MS, None, 0))
        if rate <= 0:
            sys.exit("espeak-ng does not find its own data")
        return cls(library, rate)

    def speak(self, text: str, voice: Voice) -> tuple[Samples, tuple[Onset, ...]]:
        """The text as this voice speaks it, and where each of its words begins.

        Small words that espeak-ng runs together ("of the") are told as one: the second has no time.
        """
        with self._listening() as (parts, starts):
            self._set(voice)
            spoken = text.encode()
            size, last = ctypes.c_size_t(len(spoken) + 1), ctypes.c_uint(0)
            told = self.library.espeak_Synth(
                spoken, size, last, BY_CHARACTER, last, UTF8, None, None
            )
            assert told == 0, f"espeak-ng could not speak: {told}"
        samples = np.concatenate(parts)
        return samples, tuple(
            Onset(word[0], self._heard_s(samples, starts.get(word.start())))
            for word in re.finditer(r"\S+", text)
        )

    @contextmanager
    def _listening(self) -> Iterator[tuple[list[Samples], dict[int, int]]]:
        """What is called back while the text is spoken: samples, and where a word's first sample
        is, by the position of its first character."""
        parts: list[Samples] = []
        starts: dict[int, int] = {}

        def hear(
            sound: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[Event]"
        ) -> int:
            if sound and count:
                parts.append(np.ctypeslib.as_array(sound, (count,)).copy())
            for event in takewhile(lambda event: event.type != EVENTS_END, _each(events)):
                if event.type == EVENT_WORD and event.length:
                    starts[event.character - 1] = event.sample
            return 0

        called = Callback(hear)  # kept for as long as it may be called
        self.library.espeak_SetSynthCallback(called)
        yield parts, starts
        self.library.espeak_SetSynthCallback(Callback())

    def _set(self, voice: Voice) -> None:
        if self.library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            sys.exit(f"espeak-ng has no voice {voice.name}")
        self.library.espeak_SetParameter(RATE, voice.rate, 0)
        self.library.espeak_SetParameter(PITCH, voice.pitch, 0)

    def _heard_s(self, samples: Samples, start: int | None) -> float | None:
        """A pause that is counted as the word's is not heard as it, nor is a stop's closure."""
        if start is None:
            return None
        heard = np.flatnonzero(np.abs(samples[start : start + self.rate]) > AUDIBLE)
        return (start + int(heard[0])) / self.rate if heard.size else None


def _each(events: "ctypes._Pointer[Event]") -> Iterator[Event]:
    position = 0
    while True:
        yield events[position]
        position += 1
