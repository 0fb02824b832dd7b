"""OpenAI's own Whisper on the weights that ours has, in a process of its own.

Not in ours: there OpenBLAS is loaded for MLX before everything else, and torch finds some of its
functions in the place of its own. With those attention took 60 times as long on one thread, and
crashed where one query met 1500 keys.

As a program it reads questions from stdin and writes the answers on stdout, both as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Question:
    """What to transcribe: a model's folder as MLX has it, and a file of 16 kHz mono s16le samples.

    Without a language it is detected. ``stock`` leaves the spectrogram as the reference has it.
    """

    model: str
    samples: str
    language: str | None = "en"
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    stock: bool = False


class Line(NamedTuple):
    """A segment of the reference's answer."""

    start_s: float
    end_s: float
    text: str
    temperature: float
    avg_logprob: float
    no_speech_prob: float


class Heard(NamedTuple):
    """What the reference makes of a sound: the segments that have a text."""

    text: str
    language: str
    lines: tuple[Line, ...]


async def ask(questions: Sequence[Question]) -> list[Heard]:
    """What the reference answers."""
    asked = json.dumps([asdict(question) for question in questions])
    done = await trio.run_process(
        [sys.executable, "-m", "tests.real.reference"],
        stdin=asked.encode(),
        capture_stdout=True,
        cwd=ROOT,
    )
    return [
        Heard(text, language, tuple(Line(*line) for line in lines))
        for text, language, lines in json.loads(done.stdout)
    ]


def main() -> None:
    import torch

    torch.set_num_threads(1)  # the other core is ours
    questions = [Question(**each) for each in json.load(sys.stdin)]
    models = {folder: load(Path(folder)) for folder in {each.model for each in questions}}
    json.dump([transcribe(models[each.model], each) for each in questions], sys.stdout)


def transcribe(model: Any, question: Question) -> Heard:
    import numpy as np

    model.stock = question.stock
    said = model.transcribe(
        np.fromfile(question.samples, "<i2").astype(np.float32) / 32768.0,
        temperature=question.temperatures,
        condition_on_previous_text=False,
        language=question.language,
        fp16=False,
    )
    lines = (
        Line(*(each["start"], each["end"]), *(each[name] for name in Line._fields[2:]))
        for each in said["segments"]
        if each["text"]
    )
    return Heard(said["text"].strip(), said["language"], tuple(lines))


def load(folder: Path) -> Any:
    """The reference's model with the weights of a folder of ours."""
    from safetensors.torch import load_file
    from whisper.model import ModelDimensions, Whisper

    class Filled(Whisper):  # type: ignore[misc]
        """Fills short windows up with silence.

        The reference's ``transcribe()`` fills spectrograms up with 0, which is no silence; to
        detect a language, and in the example of its README, with silent samples. So do whispermlx
        and we. It moves commas and times, and without it nothing could be compared.
        """

        stock = False

        def decode(self, mel: torch.Tensor, options: Any) -> Any:
            return super().decode(mel if self.stock else filled(mel), options)

    config = json.loads((folder / "config.json").read_text())
    model = Filled(ModelDimensions(**{k: v for k, v in config.items() if k.startswith("n_")}))
    weights = load_file(folder / "weights.safetensors")
    missing, _ = model.load_state_dict(
        {_renamed(name): _as_torch(array) for name, array in weights.items()}, strict=False
    )
    assert missing == ["encoder.positional_embedding"]  # computed
    return model.eval()


def filled(mel: torch.Tensor) -> torch.Tensor:
    """A spectrogram (mels, 3000) whose zeros at the end are silence: the least that there may be.

    That is exact where the sound itself ends in silence.
    """
    end = int(mel.any(dim=0).nonzero().max()) + 1
    mel = mel.clone()
    mel[:, end:] = max(float(mel.max()) - 2.0, -1.5)
    return mel


def _renamed(name: str) -> str:
    return name.replace("mlp1", "mlp.0").replace("mlp2", "mlp.2")


def _as_torch(array: torch.Tensor) -> torch.Tensor:
    """float32; MLX's convolutions are (out, k, in), torch's (out, in, k)."""
    array = array.float()
    return array.transpose(1, 2) if array.ndim == 3 else array


if __name__ == "__main__":
    main()
