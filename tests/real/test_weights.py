"""Files of weights are numbers: one that holds a program is refused, and the program does not run.

The program here makes a file, which would tell.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from asr.pipeline.align.sources import CONFIGS, read
from asr.pipeline.diarize.sources import SEGMENTATION
from asr.pipeline.engine import ModelFolder
from asr.pipeline.errors import AlignmentUnavailable, ModelUnavailable
from asr.pipeline.heavy import import_pyannote, read_network
from asr.pipeline.models import ModelSettings
from asr.pipeline.shelf import load_whisper

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

# Loads a network as the server does; every socket that is used from Python is written down.
WATCHED = """
import sys
seen = []
sys.addaudithook(lambda name, _: seen.append(name) if name.startswith("socket.") else None)
from asr.pipeline.vad import SpeechFinder
SpeechFinder().load()
from pyannote.audio.telemetry import metrics
metrics.provider.force_flush()  # what pyannote would report to its makers, and when it likes to
print(sorted({name for name in seen if name in ("socket.connect", "socket.getaddrinfo")}))
"""


class Program:
    """What a pickle runs when it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.canary,)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "the program ran"


def test_a_checkpoint_of_pyannotes_form_runs_nothing(tmp_path: Path, canary: Path) -> None:
    import_pyannote()
    import torch

    good = SEGMENTATION.find()
    assert good is not None
    holds: dict[str, Any] = torch.load(good, weights_only=False, map_location="cpu")
    torch.save({**holds, "callbacks": Program(canary)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is damaged, or holds more than num"):
        read_network(tmp_path / "pytorch_model.bin", "PyanNet")
    assert not canary.exists()
    torch.load(tmp_path / "pytorch_model.bin", weights_only=False)
    assert canary.exists()  # what could have happened


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("WAV2VEC2_ASR_BASE_960H", "wav2vec2_fairseq_base_ls960_asr_ls960.pth"),
        ("org/letters", "org--letters/pytorch_model.bin"),
    ],
)
def test_a_network_for_words_runs_nothing(
    tmp_path: Path, canary: Path, name: str, file: str
) -> None:
    import torch

    place = tmp_path / "align" / file
    place.parent.mkdir(parents=True)
    torch.save({"weights": Program(canary)}, place)
    for config in CONFIGS:
        (place.parent / config).write_text('{"model_type": "wav2vec2", "a": 1, "[UNK]": 2}')
    settings = ModelSettings(tmp_path, hf_home=tmp_path, hf_hub_offline=True)
    with pytest.raises(AlignmentUnavailable, match="cannot be read"):
        read(name, settings, "cpu")
    assert not canary.exists()


def test_a_whisper_model_runs_nothing(tmp_path: Path, canary: Path, tiny: ModelFolder) -> None:
    (tmp_path / "config.json").write_bytes((tiny.path / "config.json").read_bytes())
    with (tmp_path / "weights.npz").open("wb") as file:
        np.savez(file, allow_pickle=True, x=np.array([Program(canary)], object))
    with pytest.raises(ModelUnavailable, match="cannot be read from its files"):
        load_whisper(ModelFolder("own", tmp_path), "float32")
    assert not canary.exists()


def test_loading_a_network_asks_nobody_on_the_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
