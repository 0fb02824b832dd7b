"""The voice activity network on real speech: ours, batch by batch, against whispermlx's own."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from asr.pipeline.audio import Audio, ffmpeg_argv, open_samples
from asr.pipeline.vad import Scan, SpeechFinder
from tests.pipeline.test_voice import STEP_S, heard

if TYPE_CHECKING:
    from asr.pipeline.types import Span

pytestmark = pytest.mark.real

SPEECH = Path(__file__).parent.parent / "audio" / "austen-kennedy-44s.flac"


@pytest.fixture(scope="module")
def finder() -> SpeechFinder:
    finder = SpeechFinder()
    finder.load()
    return finder


@pytest.fixture(scope="module")
def austen(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    target = tmp_path_factory.mktemp("audio") / "austen.raw"
    subprocess.run(ffmpeg_argv(get_ffmpeg_exe(), SPEECH, target, seconds_max=60.0), check=True)
    return open_samples(target)


def silence(path: Path, *, samples: int) -> Audio:
    np.zeros(samples, "<i2").tofile(path)
    return open_samples(path)


def scanned(scan: Scan) -> tuple[Span, ...]:
    spans: list[Span] = []
    while not scan.done:
        spans += scan.advance().spans
    return tuple(spans)


def whispermlx_spans(audio: Audio) -> list[float]:
    """Starts and ends that whispermlx finds in the whole file at once, cut where the audio ends."""
    import torch
    from pyannote.audio import Inference
    from whispermlx.vads.pyannote import Binarize, load_vad_model

    own = load_vad_model("cpu")._segmentation
    whole = Inference(own.model, step=1.0, pre_aggregation_hook=own.pre_aggregation_hook)
    waveform = torch.from_numpy(audio.read(0.0, audio.duration_s)).unsqueeze(0)
    frames: Any = whole.slide(waveform, 16_000, None)
    speech = Binarize(onset=0.5, offset=0.363, max_duration=30.0)(frames)
    return [time for s in speech.get_timeline() for time in (s.start, min(s.end, audio.duration_s))]


def boundaries(spans: tuple[Span, ...]) -> list[float]:
    return [time for span in spans for time in (span.start_s, span.end_s)]


# The network looks once a second, at 5 s, eight times a batch: two full batches; two and part
# of one, its last look reaching past the end; less than one look.
@pytest.mark.parametrize("seconds", [20.0, 25.123, 4.2])
def test_batch_by_batch_is_the_same_as_whispermlx_on_the_whole(
    finder: SpeechFinder, austen: Audio, seconds: float
) -> None:
    part = Audio(austen.path, round(seconds * 16_000))
    ours = boundaries(scanned(finder.begin(part)))
    assert ours == pytest.approx(whispermlx_spans(part), abs=1e-5)


def test_a_step_of_half_a_second_moves_no_boundary_by_a_tenth(
    finder: SpeechFinder, austen: Audio
) -> None:
    part = Audio(austen.path, 20 * 16_000)
    coarse = boundaries(scanned(finder.begin(part)))
    fine = boundaries(scanned(SpeechFinder(step_s=0.5).begin(part)))
    assert coarse == pytest.approx(fine, abs=0.1)


def test_speech_is_found_between_the_pauses(finder: SpeechFinder, austen: Audio) -> None:
    last = scanned(finder.begin(austen))[-1]
    assert (last.start_s, last.end_s) == pytest.approx((39.5, 42.6), abs=0.3)


def test_a_scan_tells_how_far_it_is(finder: SpeechFinder, austen: Audio) -> None:
    scan = finder.begin(austen)
    told = []
    while not scan.done:
        found = scan.advance()
        told.append((found.until_s, found.done))
    assert told == [(8.0, False), (16.0, False), (24.0, False), (32.0, False), (44.0, True)]


@pytest.mark.parametrize("samples", [0, 1, 160_001])
def test_there_is_no_speech_in_silence(finder: SpeechFinder, tmp_path: Path, samples: int) -> None:
    assert scanned(finder.begin(silence(tmp_path / "silence.raw", samples=samples))) == ()


def test_two_audios_may_be_scanned_in_turn(finder: SpeechFinder, austen: Audio) -> None:
    part = Audio(austen.path, 12 * 16_000)
    one, other = finder.begin(austen), finder.begin(part)
    spans: list[Span] = []
    while not other.done:
        one.advance()
        spans += other.advance().spans
    assert tuple(spans) == scanned(finder.begin(part))


def test_speech_is_told_long_before_the_end(finder: SpeechFinder, austen: Audio) -> None:
    scan = finder.begin(austen)
    told = [scan.advance() for _ in range(3)]
    assert not scan.done
    first, *_ = (span for found in told for span in found.spans)
    assert first.end_s < 24


def test_loading_leaves_no_thread_and_no_telemetry(finder: SpeechFinder) -> None:
    from pyannote.audio.telemetry.metrics import is_metrics_enabled

    finder.load()
    assert not is_metrics_enabled()
    assert [thread.name for thread in threading.enumerate() if "Otel" in thread.name] == []


@pytest.mark.parametrize("seed", range(30))
def test_spans_are_whispermlxs_in_however_many_bits_the_scores_come(
    finder: SpeechFinder, seed: int
) -> None:
    random = np.random.default_rng(seed)
    smooth = np.convolve(random.normal(0, 1, 3000), np.ones(1 + seed), "same")
    scores = (0.45 + 0.2 * smooth / smooth.std()).clip(0, 1).tolist()
    whole = binarized(scores, longest_s=2.0)
    assert len(whole) > 6
    for bits in (1, 7, 3000):
        assert heard(scores, bits=bits, longest_s=2.0) == pytest.approx(whole)


def binarized(scores: list[float], *, longest_s: float) -> list[float]:
    """Starts and ends that whispermlx finds in all scores at once."""
    from pyannote.core import SlidingWindow, SlidingWindowFeature
    from whispermlx.vads.pyannote import Binarize

    frames = SlidingWindow(start=0.0, duration=STEP_S, step=STEP_S)
    binarize = Binarize(onset=0.5, offset=0.363, max_duration=longest_s)
    active = binarize(SlidingWindowFeature(np.array(scores)[:, None], frames))
    return [time_s for each in active.get_timeline() for time_s in (each.start, each.end)]
