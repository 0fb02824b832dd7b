"""Where somebody speaks: whispermlx's voice activity network, slid over audio batch by batch.

A ``SpeechFinder`` owns the network, a ``Scan`` the way of one audio through it. Nothing here holds
more than a batch of samples, so a long file costs no more memory than a short one but its scores:
1.2 kB a second.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE, Audio
from asr.pipeline.types import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONSET = 0.500  # whispermlx's thresholds: speech starts above this score
OFFSET = 0.363  # and ends below this one
LONGEST_S = 30.0  # what the model sees at once; longer speech is cut where its score is lowest

# Network windows at once, a second of audio each at the default step. More are no faster on a CPU.
BATCHES = {"cpu": 8, "cuda": 64}


class SpeechFinder:
    """The voice activity network, to be used from one thread.

    It sees 5 s at a time, every ``step_s`` seconds, and its answers are averaged. whispermlx takes
    steps of 0.5 s; 1.0 costs half as much. On 124 s of English (67 s, most of it met twice at other
    offsets) it moved boundaries by up to 50 ms, one by 100 ms, and saw one short pause more.
    ``threads`` is the size of torch's own pool, for the process: beside other busy threads on 2
    cores, one needed 17 ms a step and two needed 30 to 180, because they wait for each other.
    ``device`` is torch's; without CUDA it is a CPU, which keeps up with what Metal decodes.
    """

    def __init__(self, *, step_s: float = 1.0, threads: int = 1, device: str = "cpu") -> None:
        self._step_s = step_s
        self._threads = threads
        self._device = device
        self._network: Any = None

    def load(self) -> None:
        """Import torch and read the network, unless that is done: seconds, so in its own thread."""
        if self._network is None:
            self._network = _load_network(self._step_s, self._threads, self._device)

    def scan(self, audio: Audio) -> Scan:
        """An audio to be searched; nothing is computed yet but the load, if that is still due."""
        self.load()
        return Scan(self._network, audio)


class Scan:
    """One audio on its way through the network.

    ``while not scan.done: scan.advance()``, then ``scan.spans()``. To give up is to let go of it.
    """

    def __init__(self, network: Any, audio: Audio) -> None:
        self._network = network
        self._audio = audio
        self._window = round(network.duration * SAMPLE_RATE)
        self._step = round(network.step * SAMPLE_RATE)
        past_first = max(0, audio.samples - self._window)
        self._windows = 1 + math.ceil(past_first / self._step) if audio.samples else 0
        self._seen = 0
        self._scores: list[NDArray[np.float32]] = []  # each (windows, frames, 1)

    @property
    def done(self) -> bool:
        return self._seen == self._windows

    @property
    def done_s(self) -> float:
        """Seconds of the audio that need no more work."""
        return self._audio.duration_s if self.done else self._seen * self._step / SAMPLE_RATE

    def advance(self) -> None:
        """One batch more; nothing once it is done."""
        count = min(self._network.batch_size, self._windows - self._seen)
        if count > 0:
            voices = self._network.infer(self._batch(count))  # (windows, frames, voices)
            self._scores.append(voices.max(axis=-1, keepdims=True))
            self._seen += count

    def spans(self) -> tuple[Span, ...]:
        """Where somebody speaks, in order of time; none is longer than 30 s."""
        if not self._scores:
            return ()
        end_s = self._audio.duration_s
        speech = _binarize(self._averaged())
        return tuple(Span(max(0.0, s.start), min(s.end, end_s)) for s in speech.get_timeline())

    def _batch(self, count: int) -> Any:
        """The next windows as a tensor of shape (count, 1, samples), the last filled with zeros."""
        import torch

        start = self._seen * self._step
        size = (count - 1) * self._step + self._window
        heard = self._audio.read(start / SAMPLE_RATE, (start + size) / SAMPLE_RATE)
        padded = torch.from_numpy(np.pad(heard, (0, size - len(heard))))
        return padded.unfold(0, self._window, self._step).unsqueeze(1)

    def _averaged(self) -> Any:
        """The scores of overlapping windows as one line of frames, ended where the audio ends."""
        from pyannote.core import Segment, SlidingWindow, SlidingWindowFeature

        network = self._network
        every = SlidingWindow(start=0.0, duration=network.duration, step=network.step)
        frames = network.aggregate(
            SlidingWindowFeature(np.concatenate(self._scores), every),
            network.model.receptive_field,
            hamming=True,
            missing=0.0,
        )
        covered = (self._windows - 1) * self._step + self._window
        if covered > self._audio.samples:
            frames.data = frames.crop(Segment(0.0, self._audio.duration_s), mode="loose")
        return frames


def _binarize(frames: Any) -> Any:
    from whispermlx.vads.pyannote import Binarize

    return Binarize(onset=ONSET, offset=OFFSET, max_duration=LONGEST_S)(frames)


def _load_network(step_s: float, threads: int, wanted: str) -> Any:
    _hush()
    import torch
    from pyannote.audio import Inference, Model
    from pyannote.audio.telemetry import metrics

    metrics.set_telemetry_metrics(False)
    metrics.provider.shutdown()  # ends the thread that would send them
    torch.set_num_threads(threads)
    model: Any = Model.from_pretrained(_weights())
    device = wanted if wanted == "cuda" and torch.cuda.is_available() else "cpu"
    batch = BATCHES[device]
    return Inference(model, step=step_s, device=torch.device(device), batch_size=batch)


def _weights() -> Path:
    """The network's file in whispermlx, found without importing it."""
    spec = importlib.util.find_spec("whispermlx")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("whispermlx is not installed")
    return Path(spec.origin).parent / "assets" / "pytorch_model.bin"


def _hush() -> None:
    """Silence two notes that are true and mean nothing here.

    Filters stay in place: taking them back would race with the other threads' own.
    """
    # Its audio files are never opened by pyannote: samples come from our own decoder.
    warnings.filterwarnings("ignore", r"\s*torchcodec is not installed correctly", UserWarning)
    # "Lightning automatically upgraded your loaded checkpoint": in memory, at each load.
    logging.getLogger("lightning.pytorch.utilities.migration.utils").setLevel(logging.WARNING)
