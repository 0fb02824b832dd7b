"""Who spoke when: the tool, and the way of one question through it.

Chunks of 10 s slide over the audio. One network tells who speaks in a chunk, by numbers that mean
nothing beyond it; another makes vectors of their voices; alike vectors are one person's. It is
pyannote.audio's pipeline, in steps of well under a second each, over samples that stay on disk.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from asr.pipeline.diarize.clusters import Wanted
from asr.pipeline.diarize.known import loudest, match
from asr.pipeline.diarize.listening import Heard, Listening
from asr.pipeline.diarize.parameters import Parameters, parameters
from asr.pipeline.diarize.people import People, tell_apart
from asr.pipeline.diarize.turns import Reconstruction, Run, exclusive_turns, in_order, turns
from asr.pipeline.speakers import Diarization, Diarize, Diarized

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio
    from asr.pipeline.diarize.networks import Networks
    from asr.pipeline.diarize.sources import Source
    from asr.pipeline.speakers import SpeakerSettings

VOICE_NUMBERS = 256

# The share of the work that is done when all has been heard.
LISTENING = 0.97


class SpeakerDiarizer:
    """The networks of a source, to be used from one thread; ``threads`` is torch's, for all."""

    def __init__(
        self, source: Source, settings: SpeakerSettings, *, device: str = "cpu", threads: int = 1
    ) -> None:
        """Raises ValueError if the settings cannot be used."""
        self._source = source
        self._parameters = parameters(settings)
        self._device = device
        self._threads = threads
        self._networks: Networks | None = None

    def load(self) -> None:
        """Read the networks: seconds. Raises SpeakersUnavailable."""
        if self._networks is None:
            from asr.pipeline.diarize.networks import Networks

            self._networks = Networks(self._source, device=self._device, threads=self._threads)

    def begin(self, question: Diarize) -> DiarizeTask:
        """Take a question in; it is worked on by ``advance``."""
        self.load()
        assert self._networks is not None
        return DiarizeTask(self._networks, question, self._parameters, device=self._device)


class DiarizeTask:
    """A question on its way: ``while not task.done: task.advance()``. To give up is to let go."""

    def __init__(
        self, networks: Networks, question: Diarize, given: Parameters, *, device: str
    ) -> None:
        self._networks = networks
        self._question = question
        self._given = given
        self._device = device
        self._share = 0.0
        self._told = Diarized(0.0)
        self._steps = self._work()

    @property
    def done(self) -> bool:
        return self._told.result is not None

    def advance(self) -> Diarized:
        """Work one step more, well under a second of a core. Nothing is new once it is done."""
        if not self.done:
            try:
                next(self._steps)
                self._told = Diarized(self._share)
            except StopIteration as end:
                self._told = Diarized(1.0, end.value)
        return self._told

    def _work(self) -> Generator[None, None, Diarization]:
        question = self._question
        clips = {clip.name: clip.audio for clip in question.known}
        total_s = sum((audio.duration_s for audio in clips.values()), question.audio.duration_s)
        known: dict[str, NDArray[np.float64]] = {}
        warnings: list[str] = []
        for name, audio in clips.items():
            heard = yield from self._listen(audio, total_s)
            voice = loudest((yield from self._tell_apart(heard, Diarize(audio))))
            if voice is None:
                warnings.append(f"No speech was found in the reference of the speaker {name!r}")
            else:
                known[name] = voice
        heard = yield from self._listen(question.audio, total_s)
        people = yield from self._tell_apart(heard, question)
        return (yield from self._tell(heard, people, known, warnings))

    def _listen(self, audio: Audio, total_s: float) -> Generator[None, None, Heard]:
        listening = Listening(self._networks, audio, device=self._device)
        before = self._share
        for _ in listening.steps():
            self._share = before + LISTENING * listening.share * audio.duration_s / total_s
            yield
        return listening.result()

    def _tell_apart(self, heard: Heard, question: Diarize) -> Generator[None, None, People]:
        given, own = self._given, self._networks
        wanted = Wanted(
            threshold=own.threshold if given.threshold is None else given.threshold,
            size=given.min_cluster_size or own.min_cluster_size,
            fewest=question.count or question.fewest or 1,
            most=question.count or question.most,
        )
        return tell_apart(heard, self._networks.segment.grid, wanted)

    def _tell(
        self,
        heard: Heard,
        people: People,
        known: dict[str, NDArray[np.float64]],
        warnings: list[str],
    ) -> Generator[None, None, Diarization]:
        """The turns of the people, and what they are called."""
        grid = self._networks.segment.grid
        most = self._question.count or self._question.most
        line = Reconstruction(grid, heard.classes, people.own, people.count, at_once=most)
        every: list[Run] = []
        exclusive: list[Run] = []
        for runs in line.blocks():
            every += runs.all
            exclusive += runs.exclusive
            yield
        names = named(in_order(every), match(people.voices, known))
        bridge_s = self._given.min_duration_off or 0.0
        end_s = self._question.audio.duration_s
        voices = {
            names[who]: padded(people.voices[who]) for who in sorted(names) if len(people.voices)
        }
        return Diarization(
            turns(grid, every, names, end_s=end_s, bridge_s=bridge_s),
            exclusive_turns(grid, exclusive, names, end_s=end_s, bridge_s=bridge_s),
            voices,
            self._networks.voice_model,
            tuple(warnings),
        )


def named(order: Sequence[int], known: Mapping[int, str]) -> dict[int, str]:
    """What each is called: by name if known, else by number in the order of speaking."""
    others = (f"SPEAKER_{number:02d}" for number in count())
    return {who: known.get(who) or next(others) for who in order}


def padded(voice: NDArray[np.float64]) -> tuple[float, ...]:
    """A voice with as many numbers as clients expect; zeros change no cosine."""
    return tuple(np.pad(voice, (0, max(0, VOICE_NUMBERS - len(voice)))).tolist())
