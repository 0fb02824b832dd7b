"""Where somebody speaks: whispermlx's voice activity network, slid over audio batch by batch.

A ``SpeechFinder`` owns the network, a ``Scan`` the way of one audio through it. Nothing here holds
more than a batch of samples and the scores of what is being said, so a long file costs no more
memory than a short one, and its first speech is known long before its last.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE, Audio
from asr.pipeline.heavy import import_pyannote, read_network
from asr.pipeline.torch_device import torch_device
from asr.pipeline.types import Found, Span
from asr.pipeline.voice import Voice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Network windows at once, a second of audio each at the default step. More are no faster on a CPU.
BATCHES = {"cpu": 8, "cuda": 64}


class SpeechFinder:
    """The voice activity network, to be used from one thread.

    It sees 5 s at a time, every ``step_s`` seconds, and its answers are averaged. whispermlx takes
    steps of 0.5 s; 1.0 costs half as much. On 124 s of English (67 s, most of it met twice at other
    offsets) it moved boundaries by up to 50 ms, one by 100 ms, and saw one short pause more.
    ``device`` is torch's; without CUDA it is a CPU, which keeps up with what Metal decodes.
    """

    def __init__(self, *, step_s: float = 1.0, device: str = "cpu") -> None:
        self._step_s = step_s
        self._device = device
        self._network: Any = None

    def load(self) -> None:
        """Import torch and read the network, unless that is done: seconds, so in its own thread."""
        if self._network is None:
            self._network = _load_network(self._step_s, self._device)

    def begin(self, audio: Audio, /) -> Scan:
        """An audio to be searched; nothing is computed yet but the load, if that is still due."""
        self.load()
        return Scan(self._network, audio)


class Scan:
    """One audio on its way through the network: ``while not scan.done: scan.advance()``.

    To give up is to let go of it.
    """

    def __init__(self, network: Any, audio: Audio) -> None:
        self._network = network
        self._audio = audio
        self._window = round(network.duration * SAMPLE_RATE)
        self._step = round(network.step * SAMPLE_RATE)
        past_first = max(0, audio.samples - self._window)
        self._windows = 1 + math.ceil(past_first / self._step) if audio.samples else 0
        self._seen = 0
        self._scores = Average(network)
        self._voice = Voice()

    @property
    def done(self) -> bool:
        return self._seen == self._windows

    def advance(self) -> Found:
        """One batch more; where somebody speaks, as far as that has ended in it.

        All batches' spans are in order of time, and none is longer than 30 s.
        """
        count = min(self._network.batch_size, self._windows - self._seen)
        voices = self._network.infer(self._batch(count))  # (windows, frames, voices)
        self._scores.add(voices.max(axis=-1))
        self._seen += count
        end_s = self._audio.duration_s
        until_s = end_s if self.done else self._seen * self._step / SAMPLE_RATE
        spans = tuple(Span(max(0.0, s.start_s), min(s.end_s, end_s)) for s in self._ended())
        return Found(spans, until_s, self.done)

    def _ended(self) -> Iterator[Span]:
        """The speech that has ended."""
        if not self.done:
            yield from self._voice.hear(self._scores.settled())
            return
        beyond = (self._windows - 1) * self._step + self._window > self._audio.samples
        yield from self._voice.hear(self._scores.rest(self._audio.duration_s if beyond else None))
        yield from self._voice.end()

    def _batch(self, count: int) -> Any:
        """The next windows as a tensor of shape (count, 1, samples), the last filled with zeros."""
        import torch

        start = self._seen * self._step
        size = (count - 1) * self._step + self._window
        heard = self._audio.read(start / SAMPLE_RATE, (start + size) / SAMPLE_RATE)
        padded = torch.from_numpy(np.pad(heard, (0, size - len(heard))))
        return padded.unfold(0, self._window, self._step).unsqueeze(1)


class Average:
    """The scores of overlapping looks, averaged frame by frame as pyannote's ``aggregate`` does.

    That wants all looks at once. Here frames leave as soon as no later look reaches them.
    """

    def __init__(self, network: Any) -> None:
        frames = network.model.receptive_field
        self._frame_s: float = frames.duration
        self._frame_step_s: float = frames.step
        self._look_s: float = network.duration
        self._look_step_s: float = network.step
        self._looks = 0
        self._gone = 0  # frames that have left
        self._sums = np.zeros(0, np.float32)
        self._weights = np.zeros(0, np.float32)

    def add(self, scores: NDArray[np.float32]) -> None:
        """Take in the next looks: scores of shape (looks, frames)."""
        window = np.hamming(scores.shape[1])
        for look in scores:
            start = self._frame_at(self._looks * self._look_step_s) - self._gone
            self._grow_to(start + len(look))
            self._sums[start : start + len(look)] += look * window
            self._weights[start : start + len(look)] += window
            self._looks += 1

    def settled(self) -> list[tuple[float, float]]:
        """(score, time) of the frames that no later look reaches."""
        return self._leave(self._frame_at(self._looks * self._look_step_s))

    def rest(self, end_s: float | None) -> list[tuple[float, float]]:
        """(score, time) of all that are left, of those that begin by ``end_s`` if it is given."""
        last = self._frame_at(self._look_s + (self._looks - 1) * self._look_step_s)
        if end_s is not None:
            last = int(np.floor(end_s / self._frame_step_s))
        self._grow_to(last + 1 - self._gone)
        return self._leave(last + 1)

    def _leave(self, stop: int) -> list[tuple[float, float]]:
        """The frames before a number, which are not kept."""
        count = stop - self._gone
        scores = self._sums[:count] / np.maximum(self._weights[:count], 1e-12)
        starts = np.arange(self._gone, stop) * self._frame_step_s
        times = 0.5 * (starts + (starts + self._frame_s))
        self._sums, self._weights = self._sums[count:], self._weights[count:]
        self._gone = stop
        return list(zip(scores.tolist(), times.tolist(), strict=True))

    def _grow_to(self, frames: int) -> None:
        missing = max(0, frames - len(self._sums))
        self._sums = np.pad(self._sums, (0, missing))
        self._weights = np.pad(self._weights, (0, missing))

    def _frame_at(self, start_s: float) -> int:
        """The frame whose middle is nearest to that of a frame that starts then."""
        middle_s = start_s + 0.5 * self._frame_s
        return int(np.rint((middle_s - 0.5 * self._frame_s) / self._frame_step_s))


def _load_network(step_s: float, wanted: str) -> Any:
    import_pyannote()
    import torch
    from pyannote.audio import Inference

    model = read_network(_weights(), "PyanNet")
    device = torch_device("cuda") if wanted == "cuda" else "cpu"
    batch = BATCHES[device]
    return Inference(model, step=step_s, device=torch.device(device), batch_size=batch)


def _weights() -> Path:
    """The network's file in whispermlx, found without importing it."""
    spec = importlib.util.find_spec("whispermlx")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("whispermlx is not installed")
    return Path(spec.origin).parent / "assets" / "pytorch_model.bin"
