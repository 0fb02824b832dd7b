"""The libraries' networks, with random weights: read from disk, and heard several at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asr.pipeline.align import emissions
from asr.pipeline.align.aligner import WordAligner
from asr.pipeline.align.emissions import Network, TorchaudioNetwork, TransformersNetwork, listen
from asr.pipeline.align.sources import published, read
from asr.pipeline.errors import AlignmentUnavailable
from asr.pipeline.models import ModelSettings
from asr.pipeline.speakers import Align
from asr.pipeline.types import Segment
from tests.real.test_align import spool

pytestmark = pytest.mark.real

CONVOLUTIONS = [(32, 10, 5), (32, 8, 8), (32, 8, 8)]
VOCABULARY = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "あ": 5, "い": 6}


def torchaudio_model() -> Any:
    from torchaudio.models import wav2vec2_model  # type: ignore[import-untyped]

    return wav2vec2_model(
        extractor_mode="group_norm",
        extractor_conv_layer_config=CONVOLUTIONS,
        extractor_conv_bias=False,
        encoder_embed_dim=48,
        encoder_projection_dropout=0.1,
        encoder_pos_conv_kernel=16,
        encoder_pos_conv_groups=4,
        encoder_num_layers=2,
        encoder_num_heads=4,
        encoder_attention_dropout=0.1,
        encoder_ff_interm_features=64,
        encoder_ff_interm_dropout=0.1,
        encoder_dropout=0.1,
        encoder_layer_norm_first=False,
        encoder_layer_drop=0.1,
        aux_num_out=7,
    ).eval()


def transformers_model(norm: str) -> Any:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY),
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        conv_dim=[width for width, _, _ in CONVOLUTIONS],
        conv_kernel=[kernel for _, kernel, _ in CONVOLUTIONS],
        conv_stride=[stride for _, _, stride in CONVOLUTIONS],
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    model: Any = Wav2Vec2ForCTC(config)
    return model.eval()


def network(kind: str) -> tuple[Network, Any]:
    """A network, and its library's own way from a waveform (1, samples) to (1, frames, labels)."""
    if kind == "torchaudio":
        audio_model = torchaudio_model()
        return TorchaudioNetwork(audio_model), lambda waveform: audio_model(waveform)[0]
    model = transformers_model(kind)
    return TransformersNetwork(model), lambda waveform: model(waveform).logits


def noise(samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("kind", ["torchaudio", "group", "layer"])
def test_each_waveform_is_heard_as_if_it_were_alone(
    kind: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    torch.manual_seed(0)
    ours, whole = network(kind)
    monkeypatch.setitem(emissions.ROWS, "cpu", rows)
    waveforms = [noise(samples) for samples in (16000, 4000, 14000, 400, 15000, 3900, 16000)]
    heard = listen(ours, waveforms, "cpu")
    for waveform, emission in zip(waveforms, heard, strict=True):
        with torch.inference_mode():
            logs = whole(torch.from_numpy(waveform)[None])[0].log_softmax(-1).numpy()
        assert emission.logs.shape == logs.shape
        np.testing.assert_allclose(emission.logs, logs, atol=2e-5)
        np.testing.assert_allclose(emission.probabilities, np.exp(logs), atol=2e-5)


def test_only_waveforms_of_much_the_same_length_go_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(emissions.ROWS, "cpu", 3)
    together: list[tuple[int, ...]] = []

    class Counting(TorchaudioNetwork):
        def attend(self, features: Any, lengths: Any | None) -> Any:
            together.append(tuple(features.shape[:2]))
            return super().attend(features, lengths)

    listen(
        Counting(torchaudio_model()),
        [noise(320 * frames) for frames in (100, 20, 90, 30, 95, 24, 98)],
        "cpu",
    )
    assert together == [(2, 23), (1, 29), (3, 97), (1, 99)]


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_repository_is_read_from_our_folder(weights: str, tmp_path: Path) -> None:
    import torch

    name = published()["ja"]
    folder = tmp_path / "align" / name.replace("/", "--")
    model = transformers_model("layer")
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY))
    if weights == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / weights)
    settings = ModelSettings(tmp_path, hf_hub_offline=True)
    loaded = read(name, settings, "cpu")
    assert loaded.alphabet.blank == 0
    assert loaded.alphabet.labels["い"] == 6
    (emission,) = listen(loaded.network, [noise(8000)], "cpu")
    with torch.inference_mode():
        logs = model(torch.from_numpy(noise(8000))[None]).logits[0].log_softmax(-1)
    np.testing.assert_allclose(emission.logs, logs.numpy(), atol=1e-5)

    tool = WordAligner(settings, device="cpu")
    tool.load()
    said = Segment(0.5, 2.5, "あい。", (), 0.0, 0.0, -0.1, 0.0, 1.0)
    task = tool.begin(Align(spool(tmp_path, 3), (said,), "ja"))
    assert task is not None
    assert task.advance() == ()
    (aligned,) = task.advance()
    assert [word.text for word in aligned.words] == ["あ", "い", "。"]
    assert all(word.start_s is not None for word in aligned.words)

    whole = (folder / weights).read_bytes()
    (folder / weights).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AlignmentUnavailable, match="cannot be read"):
        read(name, settings, "cpu")


def test_a_bundle_is_read_from_our_folder(tmp_path: Path) -> None:
    import torch
    from torchaudio.models import wav2vec2_model
    from torchaudio.pipelines import WAV2VEC2_ASR_BASE_960H as BUNDLE  # type: ignore[import-untyped]

    # The published files have three labels more, which torchaudio takes out.
    model = wav2vec2_model(**{**BUNDLE._params, "aux_num_out": 32})
    (tmp_path / "align").mkdir()
    torch.save(model.state_dict(), tmp_path / "align" / BUNDLE._path)
    loaded = read(published()["en"], ModelSettings(tmp_path, hf_hub_offline=True), "cpu")
    assert (loaded.alphabet.blank, loaded.alphabet.labels["e"]) == (0, 2)
    (emission,) = listen(loaded.network, [noise(4000)], "cpu")
    assert emission.logs.shape == (12, 29)
