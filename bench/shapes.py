"""The shapes of OpenAI's published models, for random weights: they cost what real ones cost."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Shape(NamedTuple):
    """What decides the time of a model, and its memory."""

    mels: int
    vocabulary: int
    state: int
    heads: int
    encoder_layers: int
    decoder_layers: int


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "tiny": Shape(80, 51865, 384, 6, 4, 4),
        "base": Shape(80, 51865, 512, 8, 6, 6),
        "small": Shape(80, 51865, 768, 12, 12, 12),
        "large-v3": Shape(128, 51866, 1280, 20, 32, 32),
        "turbo": Shape(128, 51866, 1280, 20, 32, 4),
    }
)
