"""An MLX Whisper model on disk: a folder with ``config.json`` and one file of weights.

Only looks at such a folder, and never at the numbers in it: no array library is imported here.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

from asr.pipeline.digests import find_damaged

# mlx_whisper.whisper.ModelDimensions; a folder whose config lacks one of them is not for MLX.
DIMENSIONS = (
    "n_mels",
    "n_audio_ctx",
    "n_audio_state",
    "n_audio_head",
    "n_audio_layer",
    "n_vocab",
    "n_text_ctx",
    "n_text_state",
    "n_text_head",
    "n_text_layer",
)

# The first two are what mlx_whisper's own loader knows; newer conversions use the third.
WEIGHTS = ("weights.safetensors", "weights.npz", "model.safetensors")


def find_weights(folder: Path) -> Path | None:
    """The file of weights in a model folder, or None. OSError where nobody may look."""
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def find_flaw(folder: Path) -> str | None:
    """Why a folder cannot be used as a model, in words for a client; None if it can.

    Cheap: reads the headers only, which is enough to notice a file that was cut short.
    """
    try:
        if not folder.is_dir():
            return "its folder is missing"
        weights = find_weights(folder)
    except OSError:  # such as a folder of another user's
        return "it cannot be read"
    if weights is None:
        return "it has no weights in MLX form"
    return _config_flaw(folder / "config.json") or _weights_flaw(weights)


def find_damage(folder: Path) -> str | None:
    """As ``find_flaw``, and reads every byte: none may have changed since the files came."""
    if flaw := find_flaw(folder):
        return flaw
    files = (file for file in (find_weights(folder), folder / "config.json") if file)
    return "its files are damaged" if find_damaged(files) else None


def folder_bytes(folder: Path) -> int | None:
    """The bytes of a model's files; None where they cannot be counted."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:
        return None


def _config_flaw(path: Path) -> str | None:
    try:
        config: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return "it has no config.json"
    except (OSError, ValueError):
        return "its config.json cannot be read"
    if not isinstance(config, dict) or not all(
        isinstance(config.get(name), int) for name in DIMENSIONS
    ):
        return "its config.json does not describe a Whisper model in MLX form"
    return None


def _weights_flaw(path: Path) -> str | None:
    # Imported here: this room does no work at import.
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".npz":
        # The directory of a zip file is at its end, so a truncated one is none.
        return None if zipfile.is_zipfile(path) else "its weights are damaged"
    try:
        with safe_open(path, framework="numpy"):
            return None
    except (OSError, SafetensorError):
        return "its weights are damaged"
