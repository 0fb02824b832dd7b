"""Segments to cues: what stands on the screen together, and how its lines are broken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """How subtitles are laid out. What is None is as the segments have it.

    The first four are openai-whisper's options of the same meaning; ``cue_s_max`` is the longest
    that a cue may stand.
    """

    line_width_max: int | None = None  # characters, wide ones count twice
    lines_max: int | None = None
    line_words_max: int | None = None
    highlight_words: bool = False
    cue_s_max: float | None = None
