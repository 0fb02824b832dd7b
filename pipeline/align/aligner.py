"""When each word is spoken: a network that hears letters, held against the text that is known.

A ``WordAligner`` owns the networks, an ``Alignment`` the way of one question through them. A step
is some seconds of audio, on a GPU a minute: a long file costs no more memory than a short one.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from asr.pipeline.align.emissions import SHORTEST, listen
from asr.pipeline.align.networks import LanguageNetworks
from asr.pipeline.align.paths import find_path
from asr.pipeline.align.sources import published, read
from asr.pipeline.align.sparing import Sparing
from asr.pipeline.align.wording import part, place_words, spell
from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.heavy import import_torch
from asr.pipeline.torch_device import computing, torch_device
from asr.pipeline.types import Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asr.pipeline.align.networks import Loaded
    from asr.pipeline.align.paths import Emission, Heard
    from asr.pipeline.align.wording import Spelling
    from asr.pipeline.audio import Audio
    from asr.pipeline.device import Device
    from asr.pipeline.models import ModelSettings
    from asr.pipeline.speakers import Align
    from asr.pipeline.types import Segment

# Of audio, but one segment at least. Others wait for a step, as does the end of the server; and on
# a CPU several segments at once gain nothing.
STEP_S = {"cpu": 5.0, "mps": 60.0, "cuda": 60.0}


class WordAligner:
    """The networks that hear letters, a few languages' at a time, to be used from one thread.

    Where torch does not know the device, it is the CPU.
    """

    def __init__(self, models: ModelSettings, *, device: Device) -> None:
        self._settings = models
        self._device: Device = device
        self._networks: LanguageNetworks | None = None

    def load(self) -> None:
        """Import torch; each network is read when its language is first spoken."""
        self._load()

    def begin(self, question: Align, /) -> Alignment | None:
        """Segments whose words are wanted; nothing is computed yet but the load, if still due.

        None while those at work need all the networks that there may be in memory. Raises
        AlignmentUnavailable.
        """
        networks = self._load()
        task = Alignment(networks, question, _torch_device(self._device))
        return task if networks.lend(question.language, task, question=question) else None

    def _load(self) -> LanguageNetworks:
        if self._networks is None:
            import_torch()
            device = _torch_device(self._device)
            reading = partial(read, settings=self._settings, device=device)
            self._networks = LanguageNetworks(published(), Sparing(reading))
        return self._networks


class Alignment:
    """A question on its way: ``while not task.done: task.advance()``. To give up is to let go.

    The first step has the network, from this disk. Each other one answers the next segments with
    their words, which join to the segments' texts. A segment that cannot be aligned keeps the words
    that it came with; if it came with none, they have no times.
    """

    def __init__(self, networks: LanguageNetworks, question: Align, device: str) -> None:
        self._networks = networks
        self._audio = question.audio
        self._language = question.language
        self._device = device
        self._loaded: Loaded | None = None
        self._steps = _steps(question.segments, STEP_S[device])

    @property
    def done(self) -> bool:
        return self._loaded is not None and not self._steps

    def advance(self) -> tuple[Segment, ...]:
        """One step more: the segments that it found the words of. Nothing once it is done.

        Raises AlignmentUnavailable, in the first step, and NotEnoughMemory.
        """
        try:
            with computing(self._device):
                return self._advance()
        except Exception:
            self._networks.give_back(self)
            raise

    def _advance(self) -> tuple[Segment, ...]:
        if self._loaded is None:
            self._loaded = self._networks.get(self._language)
            return ()
        return self._align(self._loaded, self._steps.pop(0)) if self._steps else ()

    def _align(self, loaded: Loaded, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        spellings = [spell(segment.text, self._language, loaded.alphabet) for segment in segments]
        waveforms = [_samples(self._audio, segment) for segment in segments]
        wanted = [
            k
            for k, waveform in enumerate(waveforms)
            if spellings[k].places and len(waveform) >= SHORTEST
        ]
        emissions = listen(loaded.network, [waveforms[k] for k in wanted], self._device)
        words = {
            k: self._words(segments[k], spellings[k], emission, loaded.alphabet.blank)
            for k, emission in zip(wanted, emissions, strict=True)
        }
        return tuple(
            replace(segment, words=words.get(k) or self._unplaced(segment))
            for k, segment in enumerate(segments)
        )

    def _words(
        self, segment: Segment, spelling: Spelling, emission: Emission, blank: int
    ) -> tuple[Word, ...]:
        """Nothing if the frames are fewer than the characters."""
        heard = _hear(spelling, emission, blank)
        if heard is None:
            return ()
        return place_words(
            segment.text,
            self._language,
            heard,
            start_s=segment.start_s,
            end_s=segment.end_s,
            frame_s=(segment.end_s - segment.start_s) / len(emission.logs),
        )

    def _unplaced(self, segment: Segment) -> tuple[Word, ...]:
        return segment.words or tuple(map(Word, part(segment.text, self._language)))


def _hear(spelling: Spelling, emission: Emission, blank: int) -> dict[int, Heard] | None:
    """What was heard at each place of a spelling."""
    wildcard = emission.logs.shape[1]
    tokens = [wildcard if label is None else label for label in spelling.labels]
    if wildcard in tokens:
        emission = emission.with_wildcard(blank)
    path = find_path(emission, tokens, blank)
    return None if path is None else dict(zip(spelling.places, path, strict=True))


def _steps(segments: tuple[Segment, ...], longest_s: float) -> list[tuple[Segment, ...]]:
    """The segments, in order, as many at a time as make a step."""
    steps: list[tuple[Segment, ...]] = []
    step: list[Segment] = []
    step_s = 0.0
    for segment in segments:
        length_s = segment.end_s - segment.start_s
        if step and step_s + length_s > longest_s:
            steps.append(tuple(step))
            step, step_s = [], 0.0
        step.append(segment)
        step_s += length_s
    return [*steps, tuple(step)] if step else steps


def _samples(audio: Audio, segment: Segment) -> NDArray[np.float32]:
    """A segment's samples: its times are cut off to whole ones, as whispermlx does."""
    first, end = int(segment.start_s * SAMPLE_RATE), int(segment.end_s * SAMPLE_RATE)
    return audio.read(first / SAMPLE_RATE, end / SAMPLE_RATE)


def _torch_device(device: Device) -> str:
    known = torch_device(device)
    return "cpu" if known == "mps" and not convolves_any_length() else known


def convolves_any_length(version: str | None = None) -> bool:
    """Whether Metal takes convolutions of more than 65,536 samples out: 20 s, for these networks.

    Before macOS 15.1 torch raises NotImplementedError for them (its own check in
    ``aten/src/ATen/native/mps/operations/Convolution.mm``).
    """
    numbers = (platform.mac_ver()[0] if version is None else version).split(".")
    return tuple(int(number) for number in numbers[:2] if number.isdigit()) >= (15, 1)
