"""Weights from the package index become what MLX expects: every parameter, once, unchanged."""

import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from asr.blas import preload_blas
from asr.pipeline.audio import ffmpeg_argv, open_samples
from asr.pipeline.checkpoint import find_flaw
from asr.pipeline.ctranslate2 import Array, convert, read_variables
from asr.pipeline.embedded import EMBEDDED, Embedded

AUDIO = Path(__file__).parent.parent / "audio"

HEADS = {
    "base": [[3, 1], [4, 2], [4, 3], [4, 7], [5, 1], [5, 2], [5, 4], [5, 6]],
    "tiny.en": [[1, 0], [2, 0], [2, 5], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4]],
}


@pytest.fixture(autouse=True, scope="module")
def fast_blas() -> None:
    """Before the first import of MLX: decoding takes ten times as long otherwise."""
    preload_blas()


def weights_of(source: Embedded) -> tuple[Path, ...]:
    files = source.find()
    assert files, f"install {source.packages}: the dependency group `models`"
    return files[:-1]


@pytest.mark.parametrize("source", EMBEDDED, ids=lambda source: source.model)
def test_every_parameter_of_the_mlx_model_is_set_once_and_nothing_else(
    source: Embedded, tmp_path: Path
) -> None:
    from mlx.utils import tree_flatten
    from mlx_whisper.load_models import load_model
    from mlx_whisper.whisper import ModelDimensions, Whisper
    from safetensors import safe_open

    convert(weights_of(source), tmp_path, alignment_heads=HEADS[source.model])
    model = load_model(str(tmp_path))
    untouched = Whisper(ModelDimensions(**vars(model.dims)))

    with safe_open(tmp_path / "weights.safetensors", "numpy") as file:
        written = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    parameters = dict(tree_flatten(untouched.parameters()))
    expected = {name: tuple(array.shape) for name, array in parameters.items()}
    expected["alignment_heads"] = (len(HEADS[source.model]), 2)
    assert written == expected
    assert model.alignment_heads.tolist() == HEADS[source.model]


@pytest.mark.parametrize("source", EMBEDDED, ids=lambda source: source.model)
def test_the_sinusoids_that_are_left_out_are_those_that_mlx_computes(source: Embedded) -> None:
    from mlx_whisper.whisper import sinusoids

    stored = read_variables(weights_of(source))["encoder/position_encodings/encodings"]
    computed = np.array(sinusoids(*stored.shape))
    # float16 has 11 bits: half a step below 1 is 2.5e-4; the sine of a large angle adds float32's.
    assert np.abs(stored.astype(np.float32) - computed).max() < 5e-4


@pytest.mark.real
@pytest.mark.parametrize("source", EMBEDDED, ids=lambda source: source.model)
def test_converted_weights_hear_what_was_said(source: Embedded, tmp_path: Path) -> None:
    import mlx.core as mx
    from mlx_whisper.audio import N_SAMPLES, log_mel_spectrogram
    from mlx_whisper.decoding import DecodingOptions, DecodingResult, decode
    from mlx_whisper.load_models import load_model

    convert(weights_of(source), tmp_path, alignment_heads=HEADS[source.model])
    model = load_model(str(tmp_path))
    model.set_dtype(mx.float32)
    samples = speech(AUDIO / "jfk.flac", tmp_path)
    mel = log_mel_spectrogram(samples, padding=N_SAMPLES - len(samples))
    result = decode(model, mel, DecodingOptions(language="en", fp16=False))
    assert isinstance(result, DecodingResult)
    assert words(result.text) == words((AUDIO / "jfk.txt").read_text())


def test_a_file_that_was_cut_anywhere_reads_as_the_whole(tmp_path: Path) -> None:
    whole = whisper_file(("a", (2, 3)), ("b", (4,)))
    expected = {"a": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], "b": [0.0, 1.0, 2.0, 3.0]}
    for cut in range(1, len(whole)):
        parts = [tmp_path / f"{cut}.part1", tmp_path / f"{cut}.part2"]
        parts[0].write_bytes(whole[:cut])
        parts[1].write_bytes(whole[cut:])
        assert {name: a.tolist() for name, a in read_variables(parts).items()} == expected


@pytest.mark.parametrize("cut", [3, 20, 40, 70])
def test_a_file_that_ends_too_early_is_refused(cut: int, tmp_path: Path) -> None:
    part = tmp_path / "model.bin"
    part.write_bytes(whisper_file(("a", (2, 3)), ("b", (4,)))[:cut])
    with pytest.raises(ValueError, match="ends too early"):
        read_variables([part])


def test_bytes_after_the_end_are_refused(tmp_path: Path) -> None:
    part = tmp_path / "model.bin"
    part.write_bytes(whisper_file(("a", (2, 3))) + b"\0")
    with pytest.raises(ValueError, match="left over"):
        read_variables([part])


def test_another_version_or_kind_of_model_is_refused(tmp_path: Path) -> None:
    part = tmp_path / "model.bin"
    for content in (whisper_file(version=5), whisper_file(spec="TransformerSpec")):
        part.write_bytes(content)
        with pytest.raises(ValueError, match="not a Whisper model"):
            read_variables([part])


def test_a_quantized_model_is_refused_and_leaves_no_usable_folder(tmp_path: Path) -> None:
    part = tmp_path / "model.bin"
    part.write_bytes(whisper_file(("decoder/layer_0/ffn/linear_0/weight_scale", (4,))))
    with pytest.raises(ValueError, match="weight_scale is not a weight of Whisper"):
        convert([part], tmp_path, alignment_heads=[[0, 0]])
    assert find_flaw(tmp_path) is not None


def speech(path: Path, folder: Path) -> Array:
    """The samples of an audio file as float32."""
    target = folder / "samples"
    subprocess.run(ffmpeg_argv(get_ffmpeg_exe(), path, target, seconds_max=30.0), check=True)
    audio = open_samples(target)
    return audio.read(0.0, audio.duration_s)


def words(said: str) -> list[str]:
    return re.findall(r"[a-z']+", said.lower())


def whisper_file(
    *variables: tuple[str, tuple[int, ...]], version: int = 6, spec: str = "WhisperSpec"
) -> bytes:
    """A CTranslate2 file whose variables count up from 0 in float16, with one alias."""
    content = struct.pack("<I", version) + text(spec) + struct.pack("<II", 3, len(variables))
    for name, shape in variables:
        data = np.arange(np.prod(shape), dtype="<f2").tobytes()
        content += text(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape)
        content += struct.pack("<BI", 4, len(data)) + data
    return content + struct.pack("<I", 1) + text("alias") + text("a")


def text(value: str) -> bytes:
    return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"
