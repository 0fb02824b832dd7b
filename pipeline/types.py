"""The words of this house: what is said of audio and text, as frozen values.

One word for one thing everywhere: a *span* is where somebody speaks, a *window* is what the model
sees at once, a *hypothesis* is what it said of a window, a *segment* is what we show, a
*transcript* is all of them. Times are seconds from the start of the audio unless a name says
otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from asr.pipeline.audio import Audio
    from asr.pipeline.speakers import Diarization

Task = Literal["transcribe", "translate"]

# Whisper's own ladder: try cold first, get warmer while the text looks wrong.
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Span:
    """Where somebody speaks."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """Where somebody speaks, as far as that is news; ``until_s`` has been heard, or all of it."""

    spans: tuple[Span, ...]
    until_s: float
    done: bool


@dataclass(frozen=True, slots=True)
class Window:
    """At most 30 s of audio: what the model sees at once. Samples stay on disk until it does."""

    audio: Audio
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a window is to be decoded: ``language`` is a Whisper code, ``prompt`` goes before it.

    ``words`` asks for the times of words, too, ``spelled`` for the bytes of each token. Without
    ``timestamps`` a window is one piece.
    """

    language: str
    task: Task = "transcribe"
    prompt: str | None = None
    temperatures: tuple[float, ...] = TEMPERATURES
    words: bool = False
    timestamps: bool = True
    spelled: bool = False


@dataclass(frozen=True, slots=True)
class Detected:
    """The language of a window, and how probable the model holds it to be (0 to 1)."""

    language: str
    probability: float


@dataclass(frozen=True, slots=True)
class Word:
    """One word as spoken. A word that could not be placed has no times; ``score`` is 0 to 1."""

    text: str
    start_s: float | None = None
    end_s: float | None = None
    score: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text between two timestamp tokens. ``text`` keeps its leading space.

    The ``words``, if they were asked for, join to the text. ``logprobs`` has the log-probability of
    each of the ``tokens`` among those that were allowed in its place. ``spelled``, if asked for,
    has the bytes of each: none for a timestamp.
    """

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...]
    words: tuple[Word, ...] = ()
    logprobs: tuple[float, ...] = ()
    spelled: tuple[bytes, ...] = ()


class Token(NamedTuple):
    """A token of the text, and the logarithm of its probability.

    A letter may be spread over several tokens: only all of them together are sure to be UTF-8.
    """

    bytes: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the model said of one window, and how sure it was.

    ``heard_until_s`` is where its text ends: a window that the model left early is decoded again
    from there, as in OpenAI's reference. ``prompt_cut`` says that it saw only the prompt's end.
    """

    window: Window
    pieces: tuple[Piece, ...]
    heard_until_s: float
    temperature: float
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    prompt_cut: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A line of the transcript, with the measures of the window that it came from.

    ``said`` are the tokens of its text, if their log-probabilities were asked for.
    """

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...]
    window_start_s: float
    temperature: float
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    said: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """The answer to a request. ``warnings`` says what was asked for and not done, and why.

    ``diarization`` is there if speakers were asked for, and could be told apart.
    """

    language: str
    task: Task
    duration_s: float
    segments: tuple[Segment, ...]
    warnings: tuple[str, ...] = ()
    diarization: Diarization | None = None

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()


@dataclass(frozen=True, slots=True)
class KnownSpeaker:
    """A voice that the client knows: its name, and a few seconds of it in a file of any format."""

    name: str
    clip: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Options:
    """What a client asked for, already checked. ``model`` None means the operator's default.

    ``audio_track`` counts the tracks of a film from 1; None takes the first that is marked as the
    default one, else the first. ``resegment`` ends segments where the speaker changes; None leaves
    that to the operator.
    """

    model: str | None = None
    language: str | None = None
    task: Task = "transcribe"
    prompt: str | None = None
    hotwords: str | None = None
    temperature: float | None = None
    words: bool = False
    diarize: bool = False
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    embeddings: bool = False
    resegment: bool | None = None
    known_speakers: tuple[KnownSpeaker, ...] = ()
    logprobs: bool = False
    audio_track: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request is: seconds of audio done, of how many in all, and what is news.

    ``segments`` are those that have become known since the last time. All of them together are the
    transcript's own, but for what is found out at the end: who spoke.
    """

    done_s: float
    total_s: float
    segments: tuple[Segment, ...] = ()
