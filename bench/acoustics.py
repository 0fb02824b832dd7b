"""What happens to voices on their way: a room's echoes, noise, a telephone."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Samples: TypeAlias = "NDArray[np.float32]"

SAMPLE_RATE = 16000
TELEPHONE_HZ = (300.0, 3400.0)


def faded(samples: Samples) -> Samples:
    """Without clicks where it was cut: 5 ms of fading at both ends."""
    slope = np.linspace(0, 1, round(0.005 * SAMPLE_RATE), dtype=np.float32)
    result = samples.copy()
    result[: len(slope)] *= slope
    result[-len(slope) :] *= slope[::-1]
    return result


def in_room(samples: Samples, reverberation_s: float, random: np.random.Generator) -> Samples:
    """The voice and its echoes, which lose 60 dB in ``reverberation_s``."""
    times = np.arange(round(reverberation_s * SAMPLE_RATE)) / SAMPLE_RATE
    echoes = random.standard_normal(len(times)) * 10 ** (-3 * times / reverberation_s)
    response = echoes * (0.7 / np.sqrt(np.sum(np.square(echoes))))
    response[0] = 1.0
    return _filtered(samples, response.astype(np.float32))


def noise(count: int, level: float, random: np.random.Generator) -> Samples:
    """As machines make it, which is mostly low; ``level`` is its root mean square."""
    humming = (0.97 ** np.arange(400)).astype(np.float32)
    samples = _filtered(random.standard_normal(count).astype(np.float32), humming)
    return samples * np.float32(level / np.sqrt(np.mean(np.square(samples))))


def telephoned(samples: Samples) -> Samples:
    """What a telephone leaves of it."""
    width = 511
    times = np.arange(width) - width // 2
    low, high = (2 * hertz / SAMPLE_RATE for hertz in TELEPHONE_HZ)
    passed = high * np.sinc(high * times) - low * np.sinc(low * times)
    heard = _filtered(samples, (passed * np.hamming(width)).astype(np.float32))
    return np.roll(heard, -(width // 2))


def _filtered(samples: Samples, response: Samples) -> Samples:
    """Convolved by blocks, each with its tail laid over the next."""
    block = 1 << 16
    size = 2 * block
    spectrum = np.fft.rfft(response, size)
    result = np.zeros(len(samples) + size, np.float32)
    for at in range(0, len(samples), block):
        piece = np.fft.irfft(np.fft.rfft(samples[at : at + block], size) * spectrum, size)
        result[at : at + size] += piece.astype(np.float32)
    return result[: len(samples)]
