"""Conversations whose turns are known, fabricated from voices (bench/voices.py), alike each time.

    python -m bench.conversations VOICES FOLDER

writes the sets ``tune`` and ``test`` below FOLDER. A conversation is 16 kHz mono s16le in ``.pcm``
and the truth in ``.json``: its turns in seconds, to 10 ms, with the pauses from 0.3 s on left out.
The two sets share no clip; six voices occur in ``test`` only.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bench.acoustics import SAMPLE_RATE, Samples, faded, in_room, noise, telephoned

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_S = 0.01
PAUSE_S = 0.3  # shorter pauses do not end a turn
SOUND_S_MIN = 0.4  # what is shorter is no clip
LONG_S = 10.0  # what is longer is cut in its pauses
LOUDNESS = 0.05  # root mean square of speech
SETS = ("tune", "test")

Stretch: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Clip:
    """One voice speaks: samples at one loudness, and the stretches in which there is speech."""

    samples: Samples
    speech: tuple[Stretch, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Plan:
    """What a conversation is like. ``shares`` say how likely each voice is to speak next.

    Nobody is next after himself, unless he is alone.
    """

    name: str
    seconds: float
    voices: tuple[str, ...]
    shares: tuple[float, ...] = ()
    interruptions: float = 0.05  # how many of the changes of speaker overlap
    backchannels: float = 0.05  # how many of the utterances get a short one of another's on top
    utterance_s: float = 5.0  # the median
    snr_db: float = 30.0
    reverberation_s: float = 0.0
    telephone: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip in a conversation."""

    start_s: float
    voice: str
    clip: Clip


def plans(chosen: str) -> tuple[Plan, ...]:
    """The conversations of a set."""
    test = chosen == "test"
    woman, man = ("paola", "nl_big") if test else ("june", "carlo")
    long_s = 1500.0 if test else 780.0
    actors = ("cs_small", "cs_big", *(("nl_small", "nl_big") if test else ("allison", "carlo")))
    six = ("allison", "june", "carlo", "ivr_ru", "cs_big", "nl_big" if test else "cs_small")
    return (
        Plan("1-short", 30, (woman,)),
        Plan("1-long", 150, (man,)),
        Plan("2-short", 30, (woman, man), (), 0.0, 0.0, utterance_s=3),
        Plan("2-turns", 120, ("allison", "cs_big"), (), 0.0, 0.0),
        Plan("2-women", 180, ("june", "paola" if test else "ivr_ru"), interruptions=0.15),
        Plan("2-men", 180, ("carlo", "nl_small" if test else "rms"), interruptions=0.15),
        Plan("2-synthetic", 120, ("espeak_f2", "espeak_f4") if test else ("slt", "kal")),
        Plan("2-interview", 480, ("ivr_ru", "cs_small"), backchannels=0.2),
        Plan("2-telephone", 240, ("july", "armelle"), snr_db=20, telephone=True),
        Plan("2-and-a-word", 240, ("cs_small", "carlo", "austen" if test else "awb"), (10, 10, 1)),
        Plan("3-short", 60, ("cs_small", "june", "rms"), utterance_s=3),
        Plan("3-turns", 240, ("allison", "cs_big", woman), interruptions=0.15, backchannels=0.1),
        Plan("3-noise", 300, (man, "june", "cs_small"), snr_db=8),
        Plan("3-room", 180, ("ivr_ru", man, "cs_big"), snr_db=20, reverberation_s=0.4),
        Plan("4-mixed", 300, ("allison", "slt", "cs_big", "espeak_m7" if test else "espeak_f4")),
        Plan("4-crosstalk", 180, actors, interruptions=0.5, backchannels=0.3, utterance_s=3),
        Plan("5-meeting", 420, six[1:], interruptions=0.2, backchannels=0.15),
        Plan("6-meeting", 540, six, (6, 4, 4, 3, 2, 1), interruptions=0.1, backchannels=0.1),
        Plan("4-long", long_s, actors, (5, 4, 2, 1), backchannels=0.1, snr_db=20),
    )


def of_hours(hours: float) -> Plan:
    """As the longest of the set ``test``; its clips come round again and again."""
    return replace(plans("test")[-1], name=f"4-of-{hours:g}-hours", seconds=hours * 3600)


def fabricate(voices: Path, folder: Path, chosen: str, *others: Plan) -> None:
    """Write the conversations of a set, and others of its clips, into ``folder``.

    Those that are there already stay as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawers: dict[str, tuple[Clip, ...]] = {}
    for number, plan in enumerate((*plans(chosen), *others)):
        truth = folder / f"{plan.name}.json"
        if truth.exists():
            continue
        for voice in plan.voices:
            if voice not in drawers:
                drawers[voice] = clips_of(voices / voice, SETS.index(chosen))
        random = np.random.default_rng([SETS.index(chosen), number])
        placed = tuple(converse(plan, drawers, random))
        mixed = mix(plan, placed, random)
        (folder / f"{plan.name}.pcm").write_bytes((mixed * 32767).astype("<i2").tobytes())
        turns = [
            {"start": round(start, 2), "end": round(end, 2), "speaker": voice}
            for start, end, voice in turns_of(placed)
        ]
        told = {"seconds": len(mixed) / SAMPLE_RATE, "speakers": len(plan.voices), "turns": turns}
        truth.write_text(json.dumps(told, indent=1))


def clips_of(folder: Path, every_other: int) -> tuple[Clip, ...]:
    """The clips of a voice that are a set's: the even ones or the odd ones.

    A voice of a single clip gives each set a half of it, cut in a pause.
    """
    clips = [clip for file in sorted(folder.glob("*.pcm")) for clip in _pieces(file)]
    return tuple(clips[every_other::2])


def _pieces(file: Path) -> Iterator[Clip]:
    samples = np.fromfile(file, "<i2").astype(np.float32) / np.float32(32768)
    stretches = sound_in(samples)
    if len(samples) > LONG_S * SAMPLE_RATE:
        pieces: Iterable[tuple[Stretch, ...]] = ((stretch,) for stretch in stretches)
    else:
        pieces = (stretches,) if stretches else ()
    for piece in pieces:
        if sum(end - start for start, end in piece) >= SOUND_S_MIN:
            start, end = (round(time * SAMPLE_RATE) for time in (piece[0][0], piece[-1][1]))
            cut = samples[start:end]
            level = np.sqrt(np.mean(np.square(cut)))
            yield Clip(faded(cut * np.float32(LOUDNESS / level)), speech_in(cut))


def sound_in(samples: Samples) -> tuple[Stretch, ...]:
    """Where a clip is not silent, in seconds: echoes and breath belong to it."""
    level_db = _levels_db(samples)
    if not len(level_db):
        return ()
    quiet_db, loud_db = np.percentile(level_db, (5, 95))
    # Above the noise, unless it never is quiet; and 35 dB below loud is nothing any more.
    return _stretches(level_db > min(loud_db - 20, max(loud_db - 35, quiet_db + 6)))


def speech_in(samples: Samples) -> tuple[Stretch, ...]:
    """Where somebody speaks in it, in seconds: 20 dB below loud are a room's echoes, and noise."""
    level_db = _levels_db(samples)
    return _stretches(level_db > np.percentile(level_db, 95) - 20)


def _levels_db(samples: Samples) -> "NDArray[np.floating]":
    frame = round(FRAME_S * SAMPLE_RATE)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    return np.asarray(10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-10))


def _stretches(loud: "NDArray[np.bool_]") -> tuple[Stretch, ...]:
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False)).reshape(-1, 2)
    return tuple(_bridged((float(start), float(end)) for start, end in edges * FRAME_S))


def _bridged(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """The stretches in order of time, with shorter pauses than PAUSE_S between them closed."""
    last: Stretch | None = None
    for start_s, end_s in sorted(stretches):
        if last is not None and start_s < last[1] + PAUSE_S:
            last = (last[0], max(last[1], end_s))
            continue
        if last is not None:
            yield last
        last = (start_s, end_s)
    if last is not None:
        yield last


def converse(
    plan: Plan, drawers: Mapping[str, tuple[Clip, ...]], random: np.random.Generator
) -> Iterator[Placed]:
    """Clips of the plan's voices one after another, sometimes at once, until time is up."""
    decks = {voice: _shuffled(drawers[voice], random) for voice in plan.voices}
    shares = np.asarray(plan.shares or [1.0] * len(plan.voices))
    free_s = {voice: 0.0 for voice in plan.voices}  # from when on each can speak
    spoken: set[str] = set()
    end_s, last = 0.3, -1
    while end_s < plan.seconds:
        chances = shares * [number != last or len(shares) == 1 for number in range(len(shares))]
        number = int(random.choice(len(shares), p=chances / chances.sum()))
        if end_s > plan.seconds * 0.7 and len(spoken) < len(shares):  # nobody is left out
            number = next(n for n, voice in enumerate(plan.voices) if voice not in spoken)
        voice, last = plan.voices[number], number
        spoken.add(voice)
        interrupts = random.random() < plan.interruptions
        gap_s = -random.uniform(0.3, 1.5) if interrupts else random.gamma(2.0, 0.25)
        start_s = max(end_s + gap_s, free_s[voice])
        utterance_s = plan.utterance_s * random.lognormal(0.0, 0.5)
        utterance = tuple(_utter(voice, decks[voice], start_s, utterance_s, random))
        yield from utterance
        closing_s = utterance[-1].start_s + utterance[-1].clip.duration_s
        free_s[voice], end_s = closing_s + 0.1, max(end_s, closing_s)
        if len(shares) > 1 and random.random() < plan.backchannels:
            other = plan.voices[(number + 1 + int(random.integers(len(shares) - 1))) % len(shares)]
            short = min((next(decks[other]) for _ in range(6)), key=lambda clip: clip.duration_s)
            at_s = random.uniform(start_s, closing_s)
            if other in spoken and at_s > free_s[other]:
                yield Placed(at_s, other, short)
                free_s[other] = at_s + short.duration_s + 0.1
                end_s = max(end_s, free_s[other])


def _utter(
    voice: str,
    deck: Iterator[Clip],
    start_s: float,
    utterance_s: float,
    random: np.random.Generator,
) -> Iterator[Placed]:
    at_s = start_s
    while at_s < start_s + utterance_s:
        clip = next(deck)
        yield Placed(at_s, voice, clip)
        at_s += clip.duration_s + random.uniform(0.1, 0.6)


def _shuffled(clips: tuple[Clip, ...], random: np.random.Generator) -> Iterator[Clip]:
    """All of them in random order, then all of them again."""
    if not clips:
        raise SystemExit("There is a voice without clips: python -m bench.voices")
    while True:
        yield from (clips[index] for index in random.permutation(len(clips)))


def turns_of(placed: Iterable[Placed]) -> list[tuple[float, float, str]]:
    """The turns, in order of time."""
    by_voice: dict[str, list[Stretch]] = {}
    for each in placed:
        moved = [(each.start_s + start, each.start_s + end) for start, end in each.clip.speech]
        by_voice.setdefault(each.voice, []).extend(moved)
    turns = [(*turn, voice) for voice, spoken in by_voice.items() for turn in _bridged(spoken)]
    return sorted(turns)


def mix(plan: Plan, placed: tuple[Placed, ...], random: np.random.Generator) -> Samples:
    """What a microphone would have heard: each voice as loud as it is near, the room, noise."""
    end_s = max(each.start_s + each.clip.duration_s for each in placed) + 1.0
    total = np.zeros(round(end_s * SAMPLE_RATE), np.float32)
    for voice in plan.voices:
        track = np.zeros_like(total)
        for each in (each for each in placed if each.voice == voice):
            at = round(each.start_s * SAMPLE_RATE)
            track[at : at + len(each.clip.samples)] += each.clip.samples
        if plan.reverberation_s:
            track = in_room(track, plan.reverberation_s, random)
        total += track * np.float32(10 ** (random.uniform(-4, 4) / 20))
    total += noise(len(total), LOUDNESS * 10 ** (-plan.snr_db / 20), random)
    if plan.telephone:
        total = telephoned(total)
    return total / np.float32(max(1.0, float(np.max(np.abs(total)))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voices", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    for each_set in SETS:
        fabricate(arguments.voices, arguments.folder / each_set, each_set)
