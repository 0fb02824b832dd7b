"""Recordings in which it is known when each word begins: spoken by espeak-ng, and read by a person.

``fluent`` are sentences as they are spoken; ``apart`` the same word by word with pauses between;
``read`` is Jane Austen, read by a person and aligned by pocketsphinx in steps of 10 ms.
"""

import json
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.espeak import AUDIBLE, Espeak, Onset, Samples, Voice
from bench.speech import SPEECH

READ = SPEECH.with_name("austen-words.json")

VOICES = (
    Voice("en-us", 150),
    Voice("en-us+f3", 165, 60),
    Voice("en", 140, 40),
    Voice("en-gb-x-rp+f2", 175, 55),
    Voice("en-gb-x-rp+m3", 160, 45),
    Voice("en-gb-scotland+m7", 150, 50),
)
VOICES_APART = VOICES[:2]
PAUSES_S = (0.1, 0.5)  # between words that are spoken apart, at random
SENTENCE_PAUSE_S = 0.5
SEED = 11

# Plain words, no figures and no names: a matter of when they are said, not how they are written.
SENTENCES = (
    "The old clock in the hall was late, and somebody had closed the window.",
    "My brother keeps his letters under a pile of yellow paper.",
    "We walked along the river until the lamps were lit.",
    "Please bring another chair, because the table is large enough for everybody.",
    "Nobody answered when she knocked, so she opened the door herself.",
    "The baker sells warm bread before the sun comes up.",
    "After dinner they played music and talked about their journey.",
    "It had rained all night, and the garden smelled of wet earth.",
    "A small boat crossed the harbour with its sail half down.",
    "He reads the paper slowly and never forgets what he has read.",
    "Our teacher drew a map of the island on the board.",
    "Every child knew the song, but only the youngest wanted to sing it.",
    "The train stopped between two stations and stood there for an hour.",
    "You can see the mountains from here when the air is clear.",
    "Green apples and a piece of cheese were all that we had left.",
    "She told the story again, and again it ended in another way.",
)


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, and its words in order with when they begin, in seconds."""

    kind: str
    file: Path
    onsets: tuple[Onset, ...]


def recordings(folder: Path) -> Iterator[Recording]:
    """All of them; what is spoken is written to the folder."""
    espeak = Espeak.open()
    for number, voice in enumerate(VOICES):
        spoken = [espeak.speak(sentence, voice) for sentence in SENTENCES[number % 2 :: 2]]
        pauses_s = [SENTENCE_PAUSE_S] * len(spoken)
        yield _written("fluent", folder / f"fluent-{number}.wav", spoken, pauses_s, espeak.rate)
    random = np.random.default_rng(SEED)
    for number, voice in enumerate(VOICES_APART):
        words = [word for sentence in SENTENCES[number::4] for word in sentence.split()]
        spoken = [_alone(espeak, word, voice) for word in words]
        pauses_s = random.uniform(*PAUSES_S, len(words)).tolist()
        yield _written("apart", folder / f"apart-{number}.wav", spoken, pauses_s, espeak.rate)
    yield read()


def read() -> Recording:
    """The five clips of Jane Austen; what follows them in the recording is not aligned."""
    clips = json.loads(READ.read_text(encoding="utf-8"))
    onsets = [Onset(word, start_s) for clip in clips for word, start_s, _ in clip["words"]]
    return Recording("read", SPEECH, tuple(onsets))


def _alone(espeak: Espeak, word: str, voice: Voice) -> tuple[Samples, tuple[Onset, ...]]:
    """A word by itself, without the silence around it."""
    samples, _ = espeak.speak(word, voice)
    heard = np.flatnonzero(np.abs(samples) > AUDIBLE)
    return samples[heard[0] : heard[-1] + 1], (Onset(word, 0.0),)


def _written(
    kind: str,
    file: Path,
    spoken: Sequence[tuple[Samples, tuple[Onset, ...]]],
    pauses_s: Sequence[float],
    rate: int,
) -> Recording:
    """What was spoken, one after the other with pauses, as a file of 16-bit samples."""
    parts, onsets, at = [np.zeros(rate // 2, np.int16)], list[Onset](), rate // 2
    for (samples, own), pause_s in zip(spoken, pauses_s, strict=True):
        for onset in own:
            start_s = None if onset.start_s is None else onset.start_s + at / rate
            onsets.append(Onset(onset.word, start_s))
        parts += [samples, np.zeros(round(pause_s * rate), np.int16)]
        at += len(samples) + len(parts[-1])
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(np.concatenate(parts).astype("<i2").tobytes())
    return Recording(kind, file, tuple(onsets))
