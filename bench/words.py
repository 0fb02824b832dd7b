"""How exactly words are timed: the error of their onsets by cross-attention, beside known ones.

    uv run python -m bench.words [--models base,tiny.en] [--picture docs/pictures/words.svg]

Needs espeak-ng, which speaks the sentences whose words begin at known times. Every recording goes
through the whole house; words are matched by their text, so one that was heard wrong has no error.
The bias is the median of the errors with their sign: below 0 words are told to begin too early.
"""

import argparse
import os
import string
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import trio

from bench.espeak import Onset
from bench.known_words import Recording, recordings
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.onset_picture import draw


@dataclass(frozen=True, slots=True)
class Timed:
    """What a model made of the recordings of one kind: an error for each word that was matched."""

    model: str
    kind: str
    errors_s: tuple[float, ...]
    words: int

    def within(self, limit_s: float) -> float:
        """The share of the matched words whose error is at most this, whatever its sign."""
        return float(np.mean(np.abs(self.errors_s) <= limit_s))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="base,tiny.en")
    parser.add_argument("--picture", type=Path, help="where an SVG of the errors is written")
    given = parser.parse_args()
    print(f"{describe()}; milliseconds\n")
    print_head(
        *("model", "words", "matched", "median", "mean", "90th percentile"),
        *("within 50", "within 100", "bias"),
    )
    with tempfile.TemporaryDirectory() as folder:
        known = tuple(recordings(Path(folder)))
        timed = [each for model in given.models.split(",") for each in measured(model, known)]
    if given.picture:
        given.picture.write_text(draw({f"{t.model}, {t.kind}": t.errors_s for t in timed}))


def measured(model: str, known: Sequence[Recording]) -> Iterator[Timed]:
    """A row for each kind of recording, printed as it is there."""
    heard = transcribed(model, [recording.file for recording in known])
    for kind in dict.fromkeys(recording.kind for recording in known):
        pairs = [
            pair
            for recording, words in zip(known, heard, strict=True)
            if recording.kind == kind
            for pair in matched(words, recording.onsets)
        ]
        errors_s = tuple(ours_s - truth_s for ours_s, truth_s in pairs)
        count = sum(len(timed(recording)) for recording in known if recording.kind == kind)
        row = Timed(model, kind, errors_s, count)
        show(row)
        yield row


def transcribed(model: str, files: Sequence[Path]) -> list[list[Onset]]:
    """The words of each file, as clients get them; all files are asked for at once."""
    from asr.building import open_the_house
    from asr.pipeline.types import Options
    from asr.settings import Settings

    given = {"DEVICE": "cpu", "PRELOAD_MODEL": model}
    heard: dict[Path, list[Onset]] = {}

    async def run() -> None:
        async with (
            open_the_house(Settings.from_environ({**os.environ, **given})) as house,
            trio.open_nursery() as nursery,
        ):

            async def hear(file: Path) -> None:
                answer = await house.transcribe(file, Options(words=True, language="en"))
                words = [word for segment in answer.segments for word in segment.words]
                heard[file] = [Onset(word.text, word.start_s) for word in words]

            for file in files:
                nursery.start_soon(hear, file)

    trio.run(run)
    return [heard[file] for file in files]


def matched(heard: Sequence[Onset], spoken: Sequence[Onset]) -> Iterator[tuple[float, float]]:
    """When each word was told to begin and when it began, of those that were heard right."""
    ours, theirs = [plain(each.word) for each in heard], [plain(each.word) for each in spoken]
    for a, b, count in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        for ours_s, truth_s in zip(heard[a : a + count], spoken[b : b + count], strict=True):
            if ours_s.start_s is not None and truth_s.start_s is not None:
                yield ours_s.start_s, truth_s.start_s


def plain(word: str) -> str:
    """Without what cannot be heard; a reader says "mister" where Whisper writes "Mr."."""
    bare = word.lower().strip(string.punctuation + " ")
    return "mister" if bare == "mr" else bare


def timed(recording: Recording) -> list[Onset]:
    """The words of which it is known when they begin."""
    return [onset for onset in recording.onsets if onset.start_s is not None]


def show(row: Timed) -> None:
    """One row of the table."""
    sizes = np.abs(row.errors_s) * 1000
    print_row(
        row.model,
        f"{row.words} {row.kind}",
        f"{len(row.errors_s)}",
        f"{np.median(sizes):.0f}",
        f"{np.mean(sizes):.0f}",
        f"{np.percentile(sizes, 90):.0f}",
        f"{row.within(0.05):.0%}",
        f"{row.within(0.1):.0%}",
        f"{np.median(row.errors_s) * 1000:+.0f}",
    )


if __name__ == "__main__":
    main()
