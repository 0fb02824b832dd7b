"""Networks that say by a script who speaks, and when words are spoken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from asr.pipeline.speakers import Align, Diarization, Diarize, Diarized, Turn
from asr.pipeline.types import Segment, Word

if TYPE_CHECKING:
    from collections.abc import Callable

# Two people, who take turns of half a minute.
TWO = Diarization(
    turns=tuple(Turn(30.0 * i, 30.0 * (i + 1), f"SPEAKER_0{i % 2}") for i in range(4)),
    exclusive=tuple(Turn(30.0 * i, 30.0 * (i + 1), f"SPEAKER_0{i % 2}") for i in range(4)),
    voices={"SPEAKER_00": (1.0, 0.0), "SPEAKER_01": (0.0, 1.0)},
    voice_model="fake",
)


@dataclass
class FakeDiarizer:
    """Takes so many steps; each may have a fault."""

    steps: int = 1
    says: Diarization = TWO
    asked: list[Diarize] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    def load(self) -> None: ...

    def begin(self, question: Diarize, /) -> FakeDiarizing:
        self.asked.append(question)
        return FakeDiarizing(self)


@dataclass
class FakeDiarizing:
    tool: FakeDiarizer
    stepped: int = 0

    @property
    def done(self) -> bool:
        return self.stepped == self.tool.steps

    def advance(self) -> Diarized:
        if self.tool.faults:
            raise self.tool.faults.pop(0)
        self.stepped += 1
        return Diarized(self.stepped / self.tool.steps, self.tool.says if self.done else None)


def one_word(segment: Segment) -> Segment:
    """The text as one word that lasts as long as its segment."""
    return replace(segment, words=(Word(segment.text, segment.start_s, segment.end_s, 1.0),))


@dataclass
class FakeAligner:
    """Finds the words of all segments in a step."""

    finds: Callable[[Segment], Segment] = one_word
    asked: list[Align] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    def load(self) -> None: ...

    def begin(self, question: Align, /) -> FakeAligning:
        self.asked.append(question)
        return FakeAligning(self, question)


@dataclass
class FakeAligning:
    tool: FakeAligner
    question: Align
    done: bool = False

    def advance(self) -> tuple[Segment, ...]:
        if self.tool.faults:
            raise self.tool.faults.pop(0)
        self.done = True
        return tuple(map(self.tool.finds, self.question.segments))
