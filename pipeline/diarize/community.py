"""pyannote's community-1: its networks and its way to tell people apart, block by block.

As in pyannote.audio's SpeakerDiarization with VBxClustering, a vector is made of all that a speaker
says in a chunk, and VBx (Landini et al., "Bayesian HMM clustering of x-vector sequences", Computer
Speech and Language, 2022) settles how many people there are. What differs: the speakers of a chunk
share one pass through the network; the first clusters are ours, which stay within bounds; and a
number of people that was told is reached by these, not by k-means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.pipeline.diarize.clusters import Pool, Wanted, cut, middles_of, normalised
from asr.pipeline.diarize.listening import read_chunks
from asr.pipeline.diarize.networks import Segmenter
from asr.pipeline.diarize.people import People, nobody
from asr.pipeline.diarize.turns import NOBODY
from asr.pipeline.heavy import read_network

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio
    from asr.pipeline.diarize.grid import Grid
    from asr.pipeline.diarize.parameters import Parameters

# Chunks at once through the two networks.
SEEN = {"cpu": 4, "cuda": 32, "mps": 16}
HEARD = {"cpu": 1, "cuda": 16, "mps": 4}

# Who speaks alone in this share of a chunk may say how many people there are.
CLEAN_SHARE = 0.2

# So many vectors may, spread over the audio: those of three hours. The others are only assigned.
TRAINING = 10_000

# Frames: with fewer clean ones all are listened to; with fewer of these nobody can be known.
CLEAN_FRAMES = 3

# What VBx leaves a speaker of less weight than this is nobody.
WEIGHT_MIN = 1e-7


class Vectors:
    """The network that makes vectors of 256 numbers, of voices in whole chunks."""

    def __init__(self, path: Path, *, device: str) -> None:
        self._device = device
        self._model = read_network(path, "WeSpeakerResNet34").eval().to(self._device)

    def __call__(
        self, chunks: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(chunks, speakers, numbers), given samples and who is heard: (chunks, speakers, frames).

        The vectors of who is not heard at all mean nothing.
        """
        import torch

        with torch.inference_mode():
            told = torch.from_numpy(chunks).to(self._device).unsqueeze(1)
            vectors = self._model(told, weights=torch.from_numpy(weights).to(self._device))
            return np.asarray(vectors.cpu().numpy(), np.float32)


@dataclass(frozen=True, slots=True)
class Scales:
    """VBx's parameters, and the distance from which on two of its first clusters are two."""

    threshold: float
    evidence: float
    caution: float


class CommunityOne:
    """The networks of a snapshot, and the parameters that it comes with."""

    voice_model = "speaker-diarization-community-1 (WeSpeaker ResNet34, 256 numbers)"

    def __init__(self, folder: Path, given: Parameters, *, device: str) -> None:
        """Raises whatever the libraries do if a file is damaged."""
        import yaml
        from pyannote.audio.core.plda import PLDA

        told = yaml.safe_load((folder / "config.yaml").read_text())["params"]["clustering"]
        self.scales = Scales(
            threshold=told["threshold"] if given.threshold is None else given.threshold,
            evidence=told["Fa"] if given.Fa is None else given.Fa,
            caution=told["Fb"] if given.Fb is None else given.Fb,
        )
        self.size = given.min_cluster_size or 1
        self.device = device
        self.segment = Segmenter(
            folder / "segmentation" / "pytorch_model.bin", step=0.1, silence=0.0, device=device
        )
        self.embed = Vectors(folder / "embedding" / "pytorch_model.bin", device=device)
        self.plda: Any = PLDA(folder / "plda" / "xvec_transform.npz", folder / "plda" / "plda.npz")

    @property
    def grid(self) -> Grid:
        return self.segment.grid

    def hear(self, audio: Audio) -> CommunityHearing:
        """An audio to be listened to; nothing is computed yet."""
        return CommunityHearing(self, audio)


class CommunityHearing:
    """An audio on its way; see ``Hearing``."""

    def __init__(self, source: CommunityOne, audio: Audio) -> None:
        self._source, self._audio, self._grid = source, audio, source.grid
        self._count = self._grid.chunks(audio.samples)
        self._classes = np.zeros((self._count, self._grid.frames), np.uint8)
        self._rows: list[tuple[int, int, int]] = []  # chunk, speaker, clean frames
        self._vectors: list[NDArray[np.float32]] = []
        self.share = 0.0

    def steps(self) -> Iterator[None]:
        """Work while this is iterated over."""
        seen, heard = SEEN[self._source.device], HEARD[self._source.device]
        for first in range(0, self._count, seen):
            last = min(first + seen, self._count)
            samples = read_chunks(self._audio, self._grid, first, last - first)
            self._classes[first:last] = self._source.segment(samples)
            yield
            for chunk in range(first, last, heard):
                if self._hear(chunk, min(chunk + heard, last)):
                    yield
            self.share = last / self._count

    def _hear(self, first: int, last: int) -> bool:
        """Make vectors of who speaks in some chunks, if anybody does."""
        active = self._grid.members[self._classes[first:last]].transpose(0, 2, 1)
        clean = active & (active.sum(axis=1, keepdims=True) == 1)
        often = clean.sum(axis=2)  # (chunks, speakers)
        used = np.where((often > CLEAN_FRAMES)[:, :, None], clean, active)
        rows = np.argwhere(used.sum(axis=2) > CLEAN_FRAMES)
        if not len(rows):
            return False
        samples = read_chunks(self._audio, self._grid, first, last - first)
        chunks = np.lib.stride_tricks.sliding_window_view(samples, self._grid.chunk_samples)
        chunks = chunks[:: self._grid.step_samples].copy()
        vectors = self._source.embed(chunks, used.astype(np.float32))
        for chunk, speaker in rows[np.isfinite(vectors[*rows.T]).all(axis=1)].tolist():
            self._rows.append((first + chunk, speaker, int(often[chunk, speaker])))
            self._vectors.append(vectors[chunk, speaker].copy())  # not those of all it came with
        return True

    def people(self, *, fewest: int, most: int | None) -> Generator[None, None, People]:
        """Who speaks, once all steps were taken, with a breath now and then."""
        if not self._rows:
            return nobody(self._classes)
        chunks, speakers, clean = np.array(self._rows).T
        vectors = np.stack(self._vectors)
        training = np.flatnonzero(clean >= CLEAN_SHARE * self._grid.frames)
        if len(training) < fewest:
            training = np.arange(len(clean))
        training = training[:: -(-len(training) // TRAINING)]
        wanted = Wanted(self._source.scales.threshold, self._source.size, fewest, most)
        middles, told = yield from self._middles(vectors[training].astype(np.float64), wanted)
        yield
        centres = normalised(middles)
        alike = np.empty((len(vectors), len(centres)))
        for begin in range(0, len(vectors), TRAINING):  # ten hours have a hundred thousand
            some = slice(begin, begin + TRAINING)
            alike[some] = normalised(vectors[some]) @ centres.T
            yield
        found = alike.argmax(axis=1) if told else assign(chunks, alike)
        names = np.full((self._count, self._grid.members.shape[1]), NOBODY)
        names[chunks, speakers] = found

        def who(chunk: int, active: NDArray[np.bool_]) -> NDArray[np.int64]:
            return np.where(active, names[chunk], NOBODY)

        often = np.bincount(found, clean, len(middles)).astype(np.float64)
        return People(len(middles), self._classes, who, centres, often)

    def _middles(
        self, vectors: NDArray[np.float64], wanted: Wanted
    ) -> Generator[None, None, tuple[NDArray[np.float64], bool]]:
        """Where each person's vectors are, (people, numbers), and whether so many were told."""
        from pyannote.audio.utils import vbx

        pool = Pool()
        yield from pool.add(normalised(vectors))
        forest = pool.forest()
        yield from forest.merge_until(1)
        first = cut(forest, Wanted(wanted.threshold, 1))[pool.groups]
        yield
        plda, scales = self._source.plda, self._source.scales
        cluster: Any = vbx.cluster_vbx
        weights, people = cluster(
            first, plda(vectors), plda.phi, Fa=scales.evidence, Fb=scales.caution
        )
        kept = weights[:, people > WEIGHT_MIN]  # (vectors, people)
        if wanted.fewest <= kept.shape[1] and kept.shape[1] <= (wanted.most or kept.shape[1]):
            return kept.T @ vectors / kept.sum(axis=0)[:, None], False
        return middles_of(vectors, cut(forest, wanted)[pool.groups]), True


def assign(chunks: NDArray[np.int64], alike: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whom each row's voice is most alike, given (rows, people); rows of a chunk stand together.

    Speakers of one chunk are different people, as long as there are enough of them.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    found: NDArray[np.int64] = alike.argmax(axis=1)
    _, starts, counts = np.unique(chunks, return_index=True, return_counts=True)
    for start, count in zip(starts[counts > 1], counts[counts > 1], strict=True):
        rows, people = linear_sum_assignment(alike[start : start + count], maximize=True)
        found[start + rows] = people
    return found
