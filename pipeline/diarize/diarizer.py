"""Who spoke when: the tool, and the way of one question through it.

Chunks of 10 s slide over the audio. One network tells who speaks in a chunk, by numbers that mean
nothing beyond it; another makes vectors of their voices; alike vectors are one person's. So does
pyannote.audio's pipeline; here it is in steps of well under a second each, over samples that stay
on disk, and with the package's networks voices are heard piece by piece (``voices.py``).
"""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from asr.pipeline.diarize.known import loudest, match
from asr.pipeline.diarize.parameters import Parameters, parameters
from asr.pipeline.diarize.turns import (
    Reconstruction,
    Run,
    exclusive_turns,
    heard_of,
    in_order,
    steady,
    turns,
)
from asr.pipeline.errors import SpeakersUnavailable
from asr.pipeline.heavy import import_pyannote
from asr.pipeline.speakers import Diarization, Diarize, Diarized
from asr.pipeline.torch_device import computing, torch_device

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio
    from asr.pipeline.device import Device
    from asr.pipeline.diarize.people import Networks, People
    from asr.pipeline.diarize.sources import Source
    from asr.pipeline.speakers import SpeakerSettings

log = logging.getLogger(__name__)

# What clients expect of a voice: those who keep voices compare vectors of this length.
VOICE_NUMBERS = 256

# Turns shorter than this are where two looks at the audio differ, and not what somebody said.
FLICKER_S = 0.15

# The share of the work that is done when all has been heard.
LISTENING = 0.97


class SpeakerDiarizer:
    """The networks of a source, to be used from one thread."""

    def __init__(
        self, source: Source, settings: SpeakerSettings, *, device: Device = "cpu"
    ) -> None:
        """Raises ValueError if the settings cannot be used."""
        self._source = source
        self._given = parameters(settings)
        self._device: Device = device
        self._networks: Networks | None = None
        self._warnings: tuple[str, ...] = ()

    def load(self) -> None:
        """Read the networks: seconds. Raises SpeakersUnavailable."""
        if self._networks is None:
            import_pyannote()
            self._networks, self._warnings = open_networks(
                self._source, self._given, device=torch_device(self._device)
            )

    def begin(self, question: Diarize) -> DiarizeTask:
        """Take a question in; it is worked on by ``advance``."""
        self.load()
        assert self._networks is not None
        bridge_s = self._given.min_duration_off or 0.0
        return DiarizeTask(self._networks, question, bridge_s=bridge_s, warnings=self._warnings)


class DiarizeTask:
    """A question on its way: ``while not task.done: task.advance()``. To give up is to let go."""

    def __init__(
        self,
        networks: Networks,
        question: Diarize,
        *,
        bridge_s: float,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._networks = networks
        self._question = question
        self._bridge_s = bridge_s
        self._warnings = list(warnings)
        audios = (question.audio, *(clip.audio for clip in question.known))
        self._total_s = max(sum(audio.duration_s for audio in audios), 1e-9)
        self._heard_s = 0.0
        self._told = Diarized(0.0)
        self._steps = self._work()

    @property
    def done(self) -> bool:
        return self._told.result is not None

    def advance(self) -> Diarized:
        """Work one step more, well under a second of a core. Nothing is new once it is done.

        Raises NotEnoughMemory.
        """
        if not self.done:
            try:
                with computing(self._networks.device):
                    next(self._steps)
                self._told = Diarized(LISTENING * self._heard_s / self._total_s)
            except StopIteration as end:
                self._told = Diarized(1.0, end.value)
        return self._told

    def _work(self) -> Generator[None, None, Diarization]:
        question = self._question
        known: dict[str, NDArray[np.float64]] = {}
        for clip in question.known:
            voice = loudest((yield from self._people(clip.audio)))
            if voice is None:
                told = f"No speech was found in the reference of the speaker {clip.name!r}"
                self._warnings.append(told)
            else:
                known[clip.name] = voice
        fewest = question.count or question.fewest or 1
        most = question.count or question.most
        people = yield from self._people(question.audio, fewest=fewest, most=most)
        return (yield from self._diarization(people, known, fewest, most))

    def _people(
        self, audio: Audio, *, fewest: int = 1, most: int | None = None
    ) -> Generator[None, None, People]:
        """Listen to an audio, and tell who speaks in it."""
        hearing = self._networks.hear(audio)
        before_s = self._heard_s
        for _ in hearing.steps():
            self._heard_s = before_s + hearing.share * audio.duration_s
            yield
        self._heard_s = before_s + audio.duration_s
        return (yield from hearing.people(fewest=fewest, most=most))

    def _diarization(
        self,
        people: People,
        known: Mapping[str, NDArray[np.float64]],
        fewest: int,
        most: int | None,
    ) -> Generator[None, None, Diarization]:
        """The turns of the people, and what they are called."""
        grid, end_s = self._networks.grid, self._question.audio.duration_s
        line = Reconstruction(grid, people.classes, people.who, people.count, at_once=most)
        every: list[Run] = []
        exclusive: list[Run] = []
        for runs in line.blocks():
            every += heard_of(runs.all, grid, end_s)
            exclusive += heard_of(runs.exclusive, grid, end_s)
            yield
        least = round(FLICKER_S / grid.frame_step_s)
        every, exclusive = steady(every, least), steady(exclusive, least)
        names = named(in_order(every), match(people.voices, known))
        if names and len(names) < fewest:
            self._warnings.append(f"Only {len(names)} of {fewest} speakers could be told apart")
        heard = sorted(names) if len(people.voices) else ()
        return Diarization(
            turns(grid, every, names, end_s=end_s, bridge_s=self._bridge_s),
            exclusive_turns(grid, exclusive, names, end_s=end_s, bridge_s=self._bridge_s),
            {names[who]: padded(people.voices[who]) for who in heard},
            self._networks.voice_model,
            tuple(self._warnings),
        )


def open_networks(
    source: Source, given: Parameters, *, device: str
) -> tuple[Networks, tuple[str, ...]]:
    """The networks of a source, and what is to be said of them. Raises SpeakersUnavailable."""
    if source.hub is None:
        from asr.pipeline.diarize.networks import Packaged

        with computing(device):
            return Packaged(given, device=device), ()
    from asr.pipeline.diarize.community import CommunityOne

    try:
        folder = source.hub.fetch()
        with computing(device):
            return CommunityOne(folder, given, device=device), ()
    except Exception as error:  # the hub's, or those of the libraries that read its files
        log.warning("the diarizer %s cannot be had: %s", source.name, error)
        if source.fallback is None:
            told = f"The diarizer {source.name} cannot be had, and there is no other"
            raise SpeakersUnavailable(told) from error
    networks, _ = open_networks(source.fallback, given, device=device)
    return networks, (
        f"The diarizer {source.name} is unavailable: the one of the package was used",
    )


def named(order: Sequence[int], known: Mapping[int, str]) -> dict[int, str]:
    """What each is called: by name if known, else by number in the order of speaking."""
    numbered = (f"SPEAKER_{number:02d}" for number in count())
    free = (name for name in numbered if name not in known.values())
    return {who: known.get(who) or next(free) for who in order}


def padded(voice: NDArray[np.float64]) -> tuple[float, ...]:
    """A voice with as many numbers as clients expect; zeros change no cosine."""
    return tuple(np.pad(voice, (0, max(0, VOICE_NUMBERS - len(voice)))).tolist())
