"""Who the people are, from pieces of their speech; who is known by name; and a question's way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from asr.pipeline.audio import Audio
from asr.pipeline.diarize.clusters import Wanted, normalised
from asr.pipeline.diarize.diarizer import DiarizeTask, named
from asr.pipeline.diarize.grid import Grid, powerset
from asr.pipeline.diarize.known import match
from asr.pipeline.diarize.people import Heard, People, nobody, tell_apart
from asr.pipeline.diarize.turns import NOBODY
from asr.pipeline.speakers import Clip, Diarization, Diarize, Diarized, Turn

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

GRID = Grid(16_000, 8_000, 10, frame_s=0.1, frame_step_s=0.1, members=powerset(3, 2))
WANTED = Wanted(0.57, 5)
VOICES = normalised(np.random.default_rng(0).standard_normal((3, 64)))


def people_of(heard: Heard, wanted: Wanted = WANTED) -> People:
    found: list[People] = []

    def steps() -> Generator[None, None, None]:
        found.append((yield from tell_apart(heard, GRID, wanted)))

    assert all(breath is None for breath in steps())
    return found[0]


def heard(who: list[int], *, seconds: float = 1.5) -> Heard:
    """A chunk for each, in whose core one speaks, as speaker number 0 of it."""
    noise = np.random.default_rng(1).standard_normal((len(who), 64)) / 8
    places = [(chunk, 0, *GRID.core(chunk, len(who))) for chunk in range(len(who))]
    return Heard(
        np.ones((len(who), 10), np.uint8),
        np.array(places, np.int64),
        (VOICES[who] + 0.3 * noise).astype(np.float32),
        np.full(len(who), seconds),
    )


def test_alike_pieces_are_one_persons() -> None:
    people = people_of(heard([0, 0, 1, 0, 1, 1] * 5))
    assert people.count == 2
    assert people.voices @ VOICES[:2].T == pytest.approx(np.eye(2), abs=0.3)
    assert people.often.tolist() == [22.5, 22.5]


def test_pieces_too_short_to_found_somebody_are_given_to_those_whom_they_are_like() -> None:
    told = heard([0, 0, 1, 0, 1, 1] * 5 + [2])
    told.seconds[-1] = 0.6
    assert people_of(told).count == 2


def test_if_all_pieces_are_short_they_are_people_all_the_same() -> None:
    assert people_of(heard([0, 1, 0, 1], seconds=0.4)).count == 2


def test_without_a_voice_there_is_one_person_at_most() -> None:
    classes = np.array([[0, 1, 4, 2]], np.uint8)
    people = people_of(
        Heard(classes, np.zeros((0, 4), np.int64), np.zeros((0, 192), np.float32), np.zeros(0))
    )
    assert (people.count, people.voices.size) == (1, 0)
    assert people.who(0, GRID.members[classes[0]]).tolist() == [
        [NOBODY, NOBODY, NOBODY],
        [0, NOBODY, NOBODY],
        [0, 0, NOBODY],
        [NOBODY, 0, NOBODY],
    ]


def test_known_voices_are_given_to_one_each_who_is_most_like_them() -> None:
    near = normalised(VOICES + 0.1 * VOICES[[1, 2, 0]])
    assert match(near, {"Ann": VOICES[2], "Bob": VOICES[0]}) == {2: "Ann", 0: "Bob"}
    both = {"Ann": VOICES[0], "Bob": normalised(VOICES[:1] + 0.2 * VOICES[1:2])[0]}
    assert match(VOICES[:1], both) == {0: "Ann"}
    assert match(VOICES[:1], {"Ann": VOICES[1]}) == {}
    assert match(np.zeros((0, 0)), {"Ann": VOICES[1]}) == {}
    alike = np.array([[0.90, 0.70], [0.58, 0.30]])  # those who are not alike enough have no say
    assert match(alike, {"Ann": np.array([1.0, 0.0]), "Bob": np.array([0.0, 1.0])}) == {0: "Ann"}
    assert match(VOICES, {}) == {}


@dataclass
class Hearsay:
    """The hearing of an audio of one second, by its name: who speaks all the time, if anybody."""

    audio: Audio
    share: float = 0.0

    def steps(self) -> Iterator[None]:
        for share in (0.5, 1.0):
            self.share = share
            yield

    def people(self, *, fewest: int, most: int | None) -> Generator[None, None, People]:
        assert (fewest, most) in ((1, None), (2, 2))
        yield
        name = self.audio.path.stem
        if name == "nobody":
            return nobody(np.zeros((1, 10), np.uint8))

        def who(_: int, active: NDArray[np.bool_]) -> NDArray[np.int64]:
            return np.where(active, 0, NOBODY)

        voice = VOICES[[int(name)]]
        return People(1, np.ones((1, 10), np.uint8), who, voice, np.ones(1))


class Hearers:
    """Networks that hear what the audio's name says."""

    voice_model = "hearsay"
    device = "cpu"
    grid = GRID

    def hear(self, audio: Audio) -> Hearsay:
        return Hearsay(audio)


def audio(name: str) -> Audio:
    return Audio(Path(f"{name}.pcm"), 16_000)


def told(question: Diarize, *warnings: str) -> list[Diarized]:
    task = DiarizeTask(Hearers(), question, bridge_s=0.0, warnings=warnings)
    steps = []
    while not task.done:
        steps.append(task.advance())
    assert task.advance() == steps[-1]
    return steps


def test_a_question_ends_with_turns_and_voices() -> None:
    *steps, last = told(Diarize(audio("0")))
    assert [round(step.done, 3) for step in steps] == [0.485, 0.97, 0.97, 0.97]
    turn = Turn(GRID.middle_s(0), 1.0, "SPEAKER_00")
    voice = {"SPEAKER_00": (*VOICES[0].tolist(), *[0.0] * 192)}
    assert last == Diarized(1.0, Diarization((turn,), (turn,), voice, "hearsay"))


def test_clips_are_heard_first_and_name_who_is_alike() -> None:
    known = (Clip("Ann", audio("1")), Clip("Bob", audio("0")), Clip("Eve", audio("nobody")))
    *_, last = told(Diarize(audio("0"), known=known), "something was not to be had")
    assert last.result is not None
    assert list(last.result.voices) == ["Bob"]
    assert [turn.speaker for turn in last.result.exclusive] == ["Bob"]
    assert last.result.warnings == (
        "something was not to be had",
        "No speech was found in the reference of the speaker 'Eve'",
    )


def test_nobody_is_numbered_as_somebody_else_is_called() -> None:
    assert named([4, 2, 7], {2: "SPEAKER_00"}) == {
        4: "SPEAKER_01",
        2: "SPEAKER_00",
        7: "SPEAKER_02",
    }


def test_fewer_people_than_was_said_are_told_of() -> None:
    *_, last = told(Diarize(audio("2"), count=2))
    assert last.result is not None
    assert last.result.warnings == ("Only 1 of 2 speakers could be told apart",)


def test_where_nobody_speaks_there_is_nothing_to_tell() -> None:
    assert told(Diarize(audio("nobody"), count=2))[-1] == Diarized(
        1.0, Diarization((), (), {}, "hearsay")
    )
