"""What a wav2vec 2.0 network hears: several waveforms at once, each as if it were alone.

whispermlx feeds it one segment at a time. Of segments padded to one length, the base network's
group norm would take the padding for silence that was spoken; so the convolutions see each
waveform by itself, and what comes of them goes through the transformer together, under a mask.
Together pays off on a GPU: an H100 took 0.69 s for ten minutes in segments of 1.5 to 8 s one by one
and 0.44 s in sixteens, of the large network 1.81 s and 1.08 s. One CPU core took 10.6 s for twelve
such segments one by one, 10.5 s in pairs and 11.4 s in fours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from asr.pipeline.align.paths import Emission

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

ROWS = {"cpu": 1, "mps": 8, "cuda": 16}
SHORTEST = 400  # samples: from fewer, the convolutions make no frame
PADDING_MAX = 0.25  # of a row


class Network(Protocol):
    """A network of one library or the other, in two halves."""

    def convolve(self, waveform: Any) -> Any:
        """Features of shape (frames, channels), of a waveform of shape (1, samples)."""
        ...

    def attend(self, features: Any, lengths: Any | None) -> Any:
        """Scores of shape (rows, frames, labels) of padded features; ``lengths`` if any is."""
        ...


class TorchaudioNetwork:
    """``torchaudio.models.Wav2Vec2Model``, as its bundles have it."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def convolve(self, waveform: Any) -> Any:
        return self._model.feature_extractor(waveform, None)[0][0]

    def attend(self, features: Any, lengths: Any | None) -> Any:
        return self._model.aux(self._model.encoder(features, lengths))


class TransformersNetwork:
    """``transformers.Wav2Vec2ForCTC``, as model hubs have it."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def convolve(self, waveform: Any) -> Any:
        features = self._model.wav2vec2.feature_extractor(waveform).transpose(1, 2)
        return self._model.wav2vec2.feature_projection(features)[0][0]

    def attend(self, features: Any, lengths: Any | None) -> Any:
        import torch

        mask = None
        if lengths is not None:
            frames = torch.arange(features.shape[1], device=features.device)
            mask = frames[None, :] < lengths[:, None]
        hidden = self._model.wav2vec2.encoder(features, attention_mask=mask)[0]
        if self._model.wav2vec2.adapter is not None:
            hidden = self._model.wav2vec2.adapter(hidden)
        return self._model.lm_head(hidden)


def listen(
    network: Network, waveforms: Sequence[NDArray[np.float32]], device: str
) -> tuple[Emission, ...]:
    """What is heard in each waveform (samples,), 16 kHz and of SHORTEST samples at least."""
    import torch

    heard: dict[int, Emission] = {}
    with torch.inference_mode():
        for group in _alike([len(waveform) for waveform in waveforms], ROWS[device]):
            features = [
                network.convolve(torch.from_numpy(waveforms[row])[None].to(device)) for row in group
            ]
            heard.update(zip(group, _emit(network, features), strict=True))
    return tuple(heard[row] for row in range(len(waveforms)))


def _emit(network: Network, features: list[Any]) -> Iterator[Emission]:
    import torch

    frames = [len(row) for row in features]
    padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    lengths = torch.tensor(frames, device=padded.device) if min(frames) < max(frames) else None
    scores = network.attend(padded, lengths)
    logs = torch.log_softmax(scores.float(), dim=-1).cpu()
    for row, count in zip(logs, frames, strict=True):
        yield Emission(row[:count].numpy(), row[:count].exp().numpy())


def _alike(lengths: Sequence[int], rows: int) -> Iterator[list[int]]:
    """The places of lengths that are much the same, at most so many together."""
    group: list[int] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        longer = group and lengths[group[0]] < (1 - PADDING_MAX) * lengths[place]
        if longer or len(group) == rows:
            yield group
            group = []
        group.append(place)
    if group:
        yield group
