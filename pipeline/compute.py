"""What the operator may say about the arrays: where they are computed, and how many at once."""

from dataclasses import dataclass

from asr.pipeline.device import ComputeType
from asr.pipeline.setting import setting


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Device, precision and bounds of the engine. No batch size means what suits the device."""

    device: str = setting("DEVICE", "auto", "auto, cpu, cuda, or metal (also: mps)")
    compute_type: ComputeType = setting(
        "COMPUTE_TYPE", "auto", "auto is float16 on a GPU and float32 on a CPU"
    )
    batch_size: int | None = setting(
        "BATCH_SIZE", None, "windows decoded together (default: 32 on a GPU, 8 on a CPU)"
    )
    models_max_mb: int = setting(
        "ASR_MODELS_MAX_MB", 12000, "models in memory; the least recently used one goes first"
    )
