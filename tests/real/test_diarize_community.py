"""community-1's ways, with a snapshot of its form: real segmentation, and a voice network that
knows nothing, so that who is who means nothing either."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import SecretStr

from asr.pipeline.audio import Audio
from asr.pipeline.diarize.diarizer import SpeakerDiarizer
from asr.pipeline.diarize.sources import COMMUNITY_REPO, SEGMENTATION, find_source
from asr.pipeline.errors import SpeakersUnavailable
from asr.pipeline.heavy import import_pyannote
from asr.pipeline.models import ModelSettings
from asr.pipeline.speakers import Diarize, SpeakerSettings
from tests.real import sounds
from tests.real.test_diarize import TWO, diarized, silence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr.pipeline.diarize.sources import Source

pytestmark = pytest.mark.real

CONFIG = """
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    embedding: $model/embedding
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}
  segmentation: {min_duration_off: 0.0}
"""


def write_embedding(file: Path, like: Path) -> None:
    """A checkpoint of a voice network with random weights; ``like`` is one of pyannote's."""
    import torch
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    torch.manual_seed(0)
    model: Any = WeSpeakerResNet34()
    told: dict[str, Any] = torch.load(like, weights_only=False, map_location="cpu")
    about = told["pyannote.audio"]
    about["architecture"] = {
        "module": "pyannote.audio.models.embedding",
        "class": "WeSpeakerResNet34",
    }
    torch.save(
        {
            "state_dict": model.state_dict(),
            "hyper_parameters": dict(model.hparams),
            "pytorch-lightning_version": told["pytorch-lightning_version"],
            "pyannote.audio": about,
        },
        file,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's cache with a snapshot in it."""
    import_pyannote()
    home = tmp_path_factory.mktemp("hub")
    repo = home / "hub" / f"models--{COMMUNITY_REPO.replace('/', '--')}"
    folder = repo / "snapshots" / "abc"
    for name in ("segmentation", "embedding", "plda"):
        (folder / name).mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc")
    (folder / "config.yaml").write_text(CONFIG)
    segmentation = SEGMENTATION.find()
    assert segmentation is not None
    shutil.copy(segmentation, folder / "segmentation" / "pytorch_model.bin")
    write_embedding(folder / "embedding" / "pytorch_model.bin", segmentation)
    random = np.random.default_rng(0)
    lda, mean1, mean2 = random.standard_normal((256, 128)), np.zeros(256), np.zeros(128)
    np.savez(folder / "plda" / "xvec_transform.npz", mean1=mean1, mean2=mean2, lda=lda)
    turned, _ = np.linalg.qr(random.standard_normal((128, 128)))
    psi = np.linspace(20.0, 0.1, 128)
    np.savez(folder / "plda" / "plda.npz", mu=np.zeros(128), tr=turned, psi=psi)
    return home


@pytest.fixture(scope="module")
def diarizer(home: Path) -> SpeakerDiarizer:
    diarizer = SpeakerDiarizer(found(home), SpeakerSettings())
    diarizer.load()
    return diarizer


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    whole = sounds.recorded(TWO, tmp_path_factory.mktemp("audio"))
    return Audio(whole.path, 12 * 16_000)


def found(home: Path) -> Source:
    source = find_source(ModelSettings(hf_home=home, hf_hub_offline=True))
    assert source is not None
    assert source.name == "community-1"
    return source


def speakers(turns: Sequence[Any]) -> set[str]:
    return {turn.speaker for turn in turns}


def test_a_snapshot_says_who_speaks_and_gives_voices_of_256_numbers(
    diarizer: SpeakerDiarizer, some: Audio
) -> None:
    told = diarized(diarizer, Diarize(some))
    assert told.voices.keys() == speakers(told.turns)
    assert {len(voice) for voice in told.voices.values()} == {256}
    assert all(np.linalg.norm(voice) == pytest.approx(1.0) for voice in told.voices.values())
    starts = [turn.start_s for turn in told.exclusive]
    assert starts[0] == pytest.approx(0.5, abs=0.2)
    assert "community-1" in told.voice_model
    assert told.warnings == ()
    assert diarized(diarizer, Diarize(some)) == told


@pytest.mark.parametrize("count", [1, 2])
def test_a_snapshot_follows_the_number_of_speakers(
    diarizer: SpeakerDiarizer, some: Audio, count: int
) -> None:
    assert len(speakers(diarized(diarizer, Diarize(some, count=count)).turns)) == count


def test_in_silence_a_snapshot_hears_nobody(diarizer: SpeakerDiarizer, tmp_path: Path) -> None:
    assert diarized(diarizer, Diarize(silence(tmp_path, samples=30_000))).turns == ()


def test_a_damaged_snapshot_is_told_and_the_package_used(
    home: Path, some: Audio, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    next(copy.rglob("plda.npz")).write_bytes(b"damaged")
    diarizer = SpeakerDiarizer(found(copy), SpeakerSettings())
    told = diarized(diarizer, Diarize(some))
    assert len(told.warnings) == 1
    assert "community-1" in told.warnings[0]
    assert "CAM++" in told.voice_model
    alone = SpeakerDiarizer(without_fallback(found(copy)), SpeakerSettings())
    with pytest.raises(SpeakersUnavailable, match="community-1 cannot be had"):
        alone.load()


def test_a_hub_that_cannot_be_reached_is_told_and_the_package_used(
    some: Audio, tmp_path: Path
) -> None:
    settings = ModelSettings(
        hf_home=tmp_path, hf_endpoint="http://127.0.0.1:9", hf_token=SecretStr("hf_secret")
    )
    source = find_source(settings)
    assert source is not None
    told = diarized(SpeakerDiarizer(source, SpeakerSettings()), Diarize(some))
    assert "community-1" in str(told.warnings)
    assert "hf_secret" not in str(told.warnings)
    assert "CAM++" in told.voice_model


def without_fallback(source: Source) -> Source:
    from dataclasses import replace

    return replace(source, fallback=None)
