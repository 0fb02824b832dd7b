"""Each engine as its users run it: loaded, warm, then timed. One process measures one engine.

    python -m bench.contenders ENGINE AUDIO [--model base] [--at-once N]

prints the result as JSON; ``bench.peers`` starts these, and makes the table.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

# Only what is light: each engine imports the rest, its linear algebra before MLX, or not at all.
from bench.memory import peak_mb
from bench.speech import WARM_UP, samples

# faster-whisper searches five beams unless told; the others are greedy, so it is asked to be.
FASTER_WHISPER = MappingProxyType({"beam_size": 1})
FASTER_WHISPER_BATCH = 8


@dataclass(frozen=True, slots=True)
class Job:
    """The files that are asked for at the same moment, and the name of the model."""

    files: tuple[Path, ...]
    model: str


@dataclass(frozen=True, slots=True)
class Heard:
    """How long all files together took, and what was heard in each."""

    seconds: float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine: what it is in words, how it runs a job, and a package that it needs."""

    label: str
    run: Callable[[Job], Heard]
    package: str = "mlx"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=CONTENDERS)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--at-once", type=int, default=1)
    given = parser.parse_args()
    heard = CONTENDERS[given.engine].run(Job((given.audio,) * given.at_once, given.model))
    print(json.dumps({**asdict(heard), "peak_mb": peak_mb()}))


def ours(job: Job) -> Heard:
    """The house, without its HTTP front, asked for all files at once."""
    import trio

    from asr.building import open_the_house
    from asr.pipeline.types import Options
    from asr.settings import Settings

    given = {"DEVICE": "cpu", "PRELOAD_MODEL": job.model, "GPU_CONCURRENCY": str(len(job.files))}
    texts = [""] * len(job.files)

    async def run() -> Heard:
        async with open_the_house(Settings.from_environ({**os.environ, **given})) as house:

            async def hear(position: int, file: Path) -> None:
                texts[position] = (await house.transcribe(file, Options())).text

            await house.transcribe(WARM_UP, Options())
            began = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for position, file in enumerate(job.files):
                    nursery.start_soon(hear, position, file)
            return Heard(time.perf_counter() - began, tuple(texts))

    return trio.run(run)


def whispermlx(job: Job, *, openblas: bool) -> Heard:
    """As whispermlx-asr-service 0.6.1 runs it: load_model, then transcribe, a request at a time."""
    prepare_mlx(openblas=openblas)
    import whispermlx

    model = whispermlx.load_model(str(mlx_folder(job.model)), "cpu")

    def hear(file: Path) -> str:
        return " ".join(part["text"] for part in model.transcribe(samples(file))["segments"])

    return one_by_one(hear, job)


def mlx_whisper(job: Job) -> Heard:
    """With all that helps it on a CPU: OpenBLAS, and float32 instead of its float16."""
    prepare_mlx(openblas=True)
    from mlx_whisper import transcribe

    folder = str(mlx_folder(job.model))

    def hear(file: Path) -> str:
        return str(transcribe(samples(file), path_or_hf_repo=folder, fp16=False)["text"])

    return one_by_one(hear, job)


def faster_whisper(job: Job, *, compute_type: str, batched: bool) -> Heard:
    """One model with a thread for each core, called from a thread for each request."""
    library = import_module("faster_whisper")  # not a dependency: checkers cannot see it
    with ctranslate2_folder(job.model) as folder:
        model = library.WhisperModel(
            str(folder), device="cpu", compute_type=compute_type, cpu_threads=os.cpu_count() or 1
        )

    def hear(file: Path) -> str:
        options = dict(FASTER_WHISPER)
        if batched:
            options["batch_size"] = FASTER_WHISPER_BATCH
        asked = library.BatchedInferencePipeline(model) if batched else model
        segments, _ = asked.transcribe(str(file), **options)
        return "".join(segment.text for segment in segments)

    return in_threads(hear, job)


def one_by_one(hear: Callable[[Path], str], job: Job) -> Heard:
    """As a service does that lets one request at a time through to its engine."""
    hear(WARM_UP)
    began = time.perf_counter()
    texts = tuple(map(hear, job.files))
    return Heard(time.perf_counter() - began, texts)


def in_threads(hear: Callable[[Path], str], job: Job) -> Heard:
    """As a service does that gives each request a thread."""
    hear(WARM_UP)
    with ThreadPoolExecutor(len(job.files)) as pool:
        began = time.perf_counter()
        texts = tuple(pool.map(hear, job.files))
        return Heard(time.perf_counter() - began, texts)


def prepare_mlx(*, openblas: bool) -> None:
    """MLX on the CPU, on macOS too, with the linear algebra of this service or of its wheel."""
    if openblas:
        from asr.blas import preload_blas

        preload_blas()
    import mlx.core as mx

    mx.set_default_device(mx.cpu)


def mlx_folder(model: str) -> Path:
    from asr.pipeline.models import ModelSettings, ModelStore

    return ModelStore(ModelSettings(), accelerated=False).fetch(model)


@contextmanager
def ctranslate2_folder(model: str) -> Iterator[Path]:
    """The embedded weights in one folder, as faster-whisper wants them."""
    from asr.pipeline.embedded import EMBEDDED

    files = next(source.find() for source in EMBEDDED if source.model == model)
    assert files, f"the packages that hold {model} are not installed"
    *weights, config = files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for beside in (config, *config.parent.glob("tokenizer.*"), *config.parent.glob("vocab*")):
            (folder / beside.name).symlink_to(beside)
        with (folder / "model.bin").open("wb") as joined:
            for part in weights:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, joined)
        yield folder


def _faster_whisper(label: str, *, compute_type: str, batched: bool = False) -> Contender:
    run = partial(faster_whisper, compute_type=compute_type, batched=batched)
    return Contender(label, run, package="faster_whisper")


CONTENDERS: Mapping[str, Contender] = MappingProxyType(
    {
        "ours": Contender("this service", ours),
        "whispermlx": Contender("whispermlx", partial(whispermlx, openblas=False)),
        "whispermlx-openblas": Contender(
            "whispermlx, with OpenBLAS", partial(whispermlx, openblas=True)
        ),
        "mlx-whisper": Contender("mlx_whisper in float32, with OpenBLAS", mlx_whisper),
        "faster-whisper": _faster_whisper("faster-whisper in float32", compute_type="float32"),
        "faster-whisper-batched": _faster_whisper(
            f"faster-whisper in float32, batches of {FASTER_WHISPER_BATCH}",
            compute_type="float32",
            batched=True,
        ),
        "faster-whisper-int8": _faster_whisper("faster-whisper in int8", compute_type="int8"),
        "faster-whisper-int8-batched": _faster_whisper(
            f"faster-whisper in int8, batches of {FASTER_WHISPER_BATCH}",
            compute_type="int8",
            batched=True,
        ),
    }
)

if __name__ == "__main__":
    main()
