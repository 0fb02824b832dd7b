"""How far a text is from the words as spoken."""

from collections.abc import Sequence
from pathlib import Path

import jiwer

# A reader says "mister" where Whisper writes "Mr.", and hyphens cannot be heard.
WORDS = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"\bmr\b\.?": "mister", "-": " ", r"\s+": " "}),
        jiwer.RemovePunctuation(),  # type: ignore[no-untyped-call]
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


def spoken_in(audio: Path) -> str | None:
    """What is said in a recording, if a text of the same name lies beside it."""
    text = audio.with_suffix(".txt")
    return text.read_text(encoding="utf-8") if text.exists() else None


def word_error_rate(spoken: Sequence[str], said: Sequence[str]) -> float:
    """Wrong, missing and added words of all texts, as a share of the words that were spoken."""
    transforms = {"reference_transform": WORDS, "hypothesis_transform": WORDS}
    return float(jiwer.wer(list(spoken), list(said), **transforms))
