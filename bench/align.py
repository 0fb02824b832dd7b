"""The aligner beside ``whispermlx.align``, in one process, on the same segments and network.

    uv run python -m bench.align [--minutes 5] [--device cpu]

The network is torchaudio's for English, with random weights: what it hears is nothing, and takes as
long. Segments are of 1.5 to 8 s, with 15 characters a second. Prints the seconds of each and where
they go; both must find the same words.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from asr.pipeline.align import aligner
from asr.pipeline.align.aligner import Alignment
from asr.pipeline.align.emissions import TorchaudioNetwork
from asr.pipeline.align.networks import LanguageNetworks, Loaded
from asr.pipeline.align.wording import Alphabet
from asr.pipeline.audio import SAMPLE_RATE, Audio, open_samples
from asr.pipeline.speakers import Align
from asr.pipeline.types import Segment, Word
from bench.machine import describe

LETTERS_A_SECOND = 15
WORD_LETTERS = 5

Spent = defaultdict[str, float]  # seconds, by part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()

    import torch
    from torchaudio.models import wav2vec2_model  # type: ignore[import-untyped]
    from torchaudio.pipelines import WAV2VEC2_ASR_BASE_960H as BUNDLE  # type: ignore[import-untyped]

    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    model = wav2vec2_model(**BUNDLE._params).eval().to(given.device)
    labels = {label.lower(): k for k, label in enumerate(BUNDLE.get_labels())}
    print(f"{describe('torch')}; {given.minutes:g} minutes on {given.device}")
    with tempfile.TemporaryDirectory() as folder:
        audio = noise(Path(folder), given.minutes * 60)
        question = Align(audio, tuple(talk(audio.duration_s)), "en")
        ours(question, model, labels, given.device)  # what a new shape costs is paid by neither
        their_words, their = theirs(question, model, labels, given.device)
        own_words, own = ours(question, model, labels, given.device)
    for name, spent in (("ours", own), ("whispermlx.align", their)):
        parts = ", ".join(f"{part} {spent[part]:.2f}" for part in ("network", "path", "words"))
        print(f"{name}: {sum(spent.values()):.2f} s ({parts})")
    same = sum(
        own_word == their_word for own_word, their_word in zip(own_words, their_words, strict=True)
    )
    ratio = sum(their.values()) / sum(own.values())
    print(f"ratio {ratio:.2f}; {same} of {len(own_words)} words the same")


def noise(folder: Path, seconds: float) -> Audio:
    samples = np.random.default_rng(0).normal(0, 3000, int(seconds * SAMPLE_RATE))
    path = folder / "samples.pcm"
    samples.astype("<i2").tofile(path)
    return open_samples(path)


def talk(seconds: float) -> list[Segment]:
    """Segments of random letters, end to end."""
    random = np.random.default_rng(1)
    segments: list[Segment] = []
    start_s = 0.0
    while (end_s := round(start_s + random.uniform(1.5, 8), 3)) < seconds:
        letters = int((end_s - start_s) * LETTERS_A_SECOND)
        text = "".join(random.choice(list("etaoinshr"), letters))
        words = (text[k : k + WORD_LETTERS] for k in range(0, letters, WORD_LETTERS))
        said = "".join(f" {word}" for word in words)
        segments.append(Segment(start_s, end_s, said, (), 0.0, 0.0, -0.1, 0.0, 1.0))
        start_s = end_s
    return segments


def ours(
    question: Align, model: Any, labels: dict[str, int], device: str
) -> tuple[list[Word], Spent]:
    """The words, and the seconds by part."""
    loaded = Loaded(TorchaudioNetwork(model), Alphabet.of(labels.items()))
    with Timed(aligner, {"listen": "network", "find_path": "path"}) as spent:
        task = Alignment(LanguageNetworks({"en": ""}, lambda _: loaded), question, device)
        words: list[Word] = []
        while not task.done:
            words.extend(word for segment in task.advance() for word in segment.words)
    return [Word(word.text.strip(), word.start_s, word.end_s, word.score) for word in words], spent


def theirs(
    question: Align, model: Any, labels: dict[str, int], device: str
) -> tuple[list[Word], Spent]:
    """The words, and the seconds by part, of the reference with a sentence for each segment."""
    import whispermlx.alignment

    alignment: Any = whispermlx.alignment
    whole: Any = SimpleNamespace(span_tokenize=lambda text: [(0, len(text))])
    alignment.nltk_load = lambda _: whole
    said: Any = [{"start": s.start_s, "end": s.end_s, "text": s.text} for s in question.segments]
    network = SimpleNamespace(hears=lambda waveform, lengths: synchronous(model, waveform, lengths))
    parts = {"get_trellis": "path", "backtrack": "path", "merge_repeats": "path"}
    with Timed(alignment, parts) as spent, Timed(network, {"hears": "network"}) as listening:
        found = alignment.align(
            said,
            lambda waveform, lengths: network.hears(waveform, lengths),
            {"language": "en", "dictionary": labels, "type": "torchaudio"},
            question.audio.read(0, question.audio.duration_s),
            device,
        )
    spent["network"] = listening["network"]
    spent["words"] -= listening["network"]
    words: list[Any] = list(found["word_segments"])
    return [Word(w["word"], w["start"], w["end"], w.get("score")) for w in words], spent


def synchronous(model: Any, waveform: Any, lengths: Any) -> Any:
    """What the network hears, once it is done: else a GPU's time would count elsewhere."""
    scores, _ = model(waveform, lengths=lengths)
    return scores.cpu(), None


class Timed:
    """Seconds spent in some functions of a module, by part; what is left is that of the words."""

    def __init__(self, module: Any, parts: dict[str, str]) -> None:
        self._module = module
        self._parts = parts
        self._own = {name: getattr(module, name) for name in parts}
        self._spent: Spent = defaultdict(float)

    def __enter__(self) -> Spent:
        for name, part in self._parts.items():
            setattr(self._module, name, self._timed(self._own[name], part))
        self._began_s = now_s()
        return self._spent

    def __exit__(self, *_: object) -> None:
        self._spent["words"] = now_s() - self._began_s - sum(self._spent.values())
        for name, own in self._own.items():
            setattr(self._module, name, own)

    def _timed(self, run: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            began_s = now_s()
            try:
                return run(*given)
            finally:
                self._spent[part] += now_s() - began_s

        return timed


def now_s() -> float:
    return time.perf_counter()


if __name__ == "__main__":
    main()
