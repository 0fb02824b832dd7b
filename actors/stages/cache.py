"""The cache of stages' results: what a request is given to walk by, once it has samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.stages.addresses import Addresses
from asr.actors.stages.decoding import KeptDecoder
from asr.actors.stages.entries import Entries
from asr.actors.stages.finding import KeptFinder, KeptSpeakers, KeptWords
from asr.actors.stages.keep import NO_KEEP, Keep
from asr.actors.stages.shared import Shared
from asr.pipeline.identity import AudioKeys, Weights, digest_of, files_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from asr.actors.librarian import Librarian
    from asr.pipeline.audio import Audio
    from asr.pipeline.engine import ModelFolder
    from asr.pipeline.speakers import SpeakerSettings


@dataclass(frozen=True, slots=True)
class NetworkNames:
    """Which networks there are beside Whisper's, by what tells them from others."""

    speech: str = ""
    speakers: str = ""
    voice_model: str = ""  # of the diarizations that ``speakers`` make


@dataclass(frozen=True, slots=True)
class Cache:
    """What has been computed here, what is being computed, and with which models."""

    keep: Keep = NO_KEEP
    networks: NetworkNames = field(default_factory=NetworkNames)
    compute_type: str = ""
    loaded: Callable[[], Collection[str]] = tuple  # names of the models in memory
    shared: Shared = field(default_factory=Shared)
    _weights: dict[Path, str] = field(default_factory=dict)

    async def addresses(
        self,
        those: Addresses,
        audio: Audio,
        *,
        job: str,
        speakers: SpeakerSettings,
        letters: Librarian,
    ) -> Addresses:
        """Addresses that know what was computed of this audio; those given where nothing is kept.

        The samples are read once more for that: a tenth of a second an hour, in a thread.
        """
        if not self.keep.wants(job):
            return those
        check = trio.from_thread.check_cancelled
        digest = await trio.to_thread.run_sync(digest_of, audio, check)
        entries = Entries(AudioKeys(digest), self.keep, self.shared, job)
        networks = self.networks
        return Addresses(
            KeptDecoder(those.gpu, audio, entries, self.weights),
            KeptFinder(those.listener, entries, networks.speech),
            those.diarizer
            and KeptSpeakers(
                those.diarizer, entries, speakers, networks.speakers, networks.voice_model
            ),
            those.aligner and KeptWords(those.aligner, entries, partial(_network, letters)),
        )

    async def weights(self, model: ModelFolder) -> Weights:
        """A model as it computes: one in memory is what its files were when it came there."""
        known = self._weights.get(model.path) if model.name in self.loaded() else None
        if known is None:
            known = await trio.to_thread.run_sync(files_identity, model.path)
            self._weights[model.path] = known
        return Weights(model.name, known, self.compute_type)


async def _network(letters: Librarian, language: str) -> str:
    """Which network it is that finds words of a language."""
    return await trio.to_thread.run_sync(files_identity, await letters.fetch(language))
