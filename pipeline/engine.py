"""The engine as the actors see it: models in memory, and one batch of windows being decoded.

Every method is called from one and the same thread. The batch is continuous: windows join it and
leave it between token steps, so that none waits for the longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from asr.pipeline.device import ComputeType
from asr.pipeline.setting import setting
from asr.pipeline.types import Decoding, Detected, Hypothesis, Window


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the operator decides about the engine."""

    device: str = setting("DEVICE", "auto", "auto, cpu, or the accelerator: gpu, mps, metal, cuda")
    compute_type: ComputeType = setting(
        "COMPUTE_TYPE", "auto", "auto, float16, bfloat16, float32, or int8 (quantised on load)"
    )
    batch_size: int | None = setting(
        "BATCH_SIZE",
        None,
        "windows decoded together, if memory has room; by default 8 on a CPU, 128 on a GPU",
    )
    models_max_mb: int = setting(
        "ASR_MODELS_MAX_MB", 16_000, "weights kept in memory together; half of it at most"
    )
    memory_max_mb: int | None = setting(
        "ASR_MEMORY_MAX_MB",
        None,
        "array memory for weights and batch together; by default most of what the device has",
    )


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model by name, and the folder that holds its config and weights in MLX form."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory: its name and the bytes of its weights."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One window on its way through the batch, at one temperature. Identity is what matters."""

    window: Window
    decoding: Decoding
    temperature: float = 0.0


class Said(NamedTuple):
    """What a turn of the batch brought."""

    tokens: int  # that all rows said together, timestamps and ends included
    finished: tuple[tuple[Row, Hypothesis], ...]  # rows that reached their end, and have left


class SoFar(NamedTuple):
    """What a row in the batch has said so far.

    ``closed`` has the pieces that ended with a timestamp, as they will be unless the row is decoded
    again, and is measured by them; ``text`` goes on behind them.
    """

    text: str
    closed: Hypothesis


@dataclass(frozen=True, slots=True)
class Growing:
    """A window that is still being decoded: its text so far, and what is known of it by its time.

    The last of the ``parts`` is of the row that is in the batch, those before it are believed.
    """

    window: Window
    text: str
    parts: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of array memory: in use, kept for reuse, and the peak so far."""

    active: int
    cached: int
    peak: int


class Engine(Protocol):
    """What the GPU actor asks of Whisper. Implemented by ``whisper.py``; tests have a fake.

    Whatever computes may raise NotEnoughMemory. A model that does not fit leaves everything as it
    was; after any other, ``reset`` is called before the batch is touched again.
    """

    def load(self, model: ModelFolder) -> None:
        """Make the model resident; the least recently used ones go if memory asks for it."""

    def unload(self, name: str) -> None:
        """Free a model's weights."""

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The resident models, least recently used first."""
        ...

    def detect(self, model: ModelFolder, windows: Sequence[Window]) -> tuple[Detected, ...]:
        """The language spoken in each of the windows.

        Raises FileNotFoundError when a window's audio is gone.
        """
        ...

    @property
    def rows_max(self) -> int:
        """The most rows that a batch may ever have; all of them share a model."""
        ...

    def check(self, model: ModelFolder, decoding: Decoding) -> None:
        """Raise InvalidRequest for what the model cannot do; loads it if need be."""

    def admit(self, model: ModelFolder, rows: Sequence[Row]) -> int:
        """Encode windows and let their rows join the batch, which holds no other model's.

        As many join, in order, as memory has room for, at least one if the batch is empty: the
        answer says how many. Raises FileNotFoundError, before any row has joined, when a window's
        audio is gone.
        """
        ...

    def advance(self) -> Said:
        """One token step for every row. Audio that is gone since a row joined does no harm."""
        ...

    def growing(self, rows: Sequence[Row]) -> tuple[SoFar, ...]:
        """What rows in the batch have said so far."""
        ...

    def drop(self, rows: Sequence[Row]) -> None:
        """Take rows out whose requester has gone; any that are not in the batch are passed over."""

    def reset(self) -> None:
        """Forget the batch and all that was computed for it, as after NotEnoughMemory."""

    def memory(self) -> Memory:
        """The state of the array memory."""
        ...
