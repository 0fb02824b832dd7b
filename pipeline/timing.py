"""When each word was said, from where Whisper's own cross-attention looks: no model of its own.

As ``whisper/timing.py`` of OpenAI's reference, with the texts of many windows in one forward pass,
less how late the heads of a model are known to look, and between the pauses that can be heard.
What is known of a window while it is decoded (its cross-attention keys and values) is used again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import mlx.core as mx
import numpy as np

from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.dtw import reached
from asr.pipeline.host import floats
from asr.pipeline.network import KeysValues, follow
from asr.pipeline.pauses import beside_pauses, find_pauses
from asr.pipeline.vocabulary import STAMP_S, Vocabulary
from asr.pipeline.words import place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mlx_whisper.whisper import Whisper

    from asr.pipeline.engine import Row
    from asr.pipeline.types import Hypothesis, Piece, Window

Heads = tuple[tuple[int, int], ...]

FRAMES = 1500  # of a window in the encoder's output
FRAME_SAMPLES = round(SAMPLE_RATE * STAMP_S)  # the encoder's frames are as long as a timestamp's
FILTER_WIDTH = 7  # frames of the median filter, the reference's

# How late the heads of a model, pairs of layer and head, look at a word that begins; below 0, how
# early. Measured beside words whose onsets are known (``bench.words``): in base the medians of
# three voices, one of them a person's, were -83, -65 and -53 ms, in tiny.en 102, 95 and 107. The
# heads of other models could not be measured yet: their times are the reference's.
LAGS_S: Mapping[Heads, float] = MappingProxyType(
    {
        ((3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6)): -0.07,  # base
        ((1, 0), (2, 0), (2, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4)): 0.1,  # tiny.en
    }
)

# Scores of one forward pass: for the ten heads of large-v3 those of ten windows with 100 tokens
# each, whose keys and values, 2.5 GB, are copied for the pass. More at once is hardly faster. Of a
# model that names no heads half of all are read, and windows go singly.
PASS_SCORES_MAX = 16_000_000


@dataclass(frozen=True, slots=True)
class Text:
    """What was said of ``frames`` frames of audio: the tokens before it, and its own, no stamps."""

    start: tuple[int, ...]
    tokens: tuple[int, ...]
    frames: int

    @property
    def width(self) -> int:
        return len(self.start) + 1 + len(self.tokens) + 1


@dataclass(frozen=True, slots=True)
class Alignment:
    """When each token of a text starts and then when the last one ends, in seconds from the
    window's start; and how probable each token is."""

    starts_s: tuple[float, ...]
    probabilities: tuple[float, ...]


def add_words(
    model: Whisper,
    vocabulary: Vocabulary,
    answers: Sequence[tuple[Row, Hypothesis]],
    *,
    at: Sequence[int],
    cross: Sequence[KeysValues],
) -> tuple[tuple[Row, Hypothesis], ...]:
    """The answers, with words where they were asked for.

    ``at`` says which rows of the cross-attention's keys and values, (B, H, 1500, D), are the
    answers'. What it costs, measured: with base on one core 0.2 to 0.4 s for a window that takes 4
    to 6 s to encode and decode; on an H100, when 32 windows of 100 tokens end together, 9 ms a
    window of large-v3 beside 40 ms, 7 beside 14 of turbo, 6 beside 11 of base. About 4 ms of each
    of these is the host's, for the path; a window alone takes 27, 10 and 9 ms.
    """
    placed = list(answers)
    lag_s = LAGS_S.get(_heads(model), 0.0)
    texts = {
        k: text
        for k, (row, hypothesis) in enumerate(answers)
        if row.decoding.words and (text := _text(row, hypothesis, vocabulary)).tokens
    }
    for group in _groups(texts, PASS_SCORES_MAX // (len(model.alignment_heads) * FRAMES)):
        rows = mx.array([at[k] for k in group])
        # One layer after the other, so that a layer's copy can go when the next one is made.
        heard = ((keys[rows], values[rows]) for keys, values in cross)
        found = align(model, vocabulary, [texts[k] for k in group], heard)
        for k, alignment in zip(group, found, strict=True):
            placed[k] = (answers[k][0], _worded(*answers[k], alignment, vocabulary, lag_s))
    return tuple(placed)


def align(
    model: Whisper, vocabulary: Vocabulary, texts: Sequence[Text], cross: Iterable[KeysValues]
) -> tuple[Alignment, ...]:
    """When the tokens of texts were said, given what the decoder attends to in each one's audio.

    No text is empty. One forward pass of the decoder, and one wait for it.
    """
    width = max(text.width for text in texts)
    padded = mx.array([_padded(text, vocabulary, width) for text in texts])
    states, scores = follow(model, padded, cross, _heads(model))
    looks = [_look(scores[k, :, : text.width], text) for k, text in enumerate(texts)]
    probabilities = [
        _probabilities(model, states[k], text, vocabulary.eot) for k, text in enumerate(texts)
    ]
    mx.eval(looks, probabilities)
    return tuple(
        Alignment(_seconds(reached(-np.array(look))), tuple(floats(probability)))
        for look, probability in zip(looks, probabilities, strict=True)
    )


def _heads(model: Whisper) -> Heads:
    """Those whose attention says where a word is, pairs of layer and head."""
    listed = cast("list[list[int]]", model.alignment_heads.tolist())
    return tuple((layer, head) for layer, head in listed)


def _seconds(frames: Iterable[int]) -> tuple[float, ...]:
    return tuple(frame * STAMP_S for frame in frames)


def _text(row: Row, hypothesis: Hypothesis, vocabulary: Vocabulary) -> Text:
    """All that was said of the window, without timestamps; the prompt is not said again."""
    start = vocabulary.prompt(replace(row.decoding, prompt=None, timestamps=True))
    window, pieces = hypothesis.window, hypothesis.pieces
    said = [_tokens(piece, vocabulary) for piece in pieces if _is_audible(piece, window)]
    return Text(start, tuple(chain.from_iterable(said)), _frames(window))


def _is_audible(piece: Piece, window: Window) -> bool:
    """Does the piece have text, and a length within the window? Nobody spoke the others."""
    return min(piece.end_s, window.end_s) > piece.start_s and bool(piece.text.strip())


def _frames(window: Window) -> int:
    """The frames of a window that are not padding."""
    return max(1, round(window.duration_s * SAMPLE_RATE) // FRAME_SAMPLES)


def _groups(texts: dict[int, Text], tokens_max: int) -> Iterator[list[int]]:
    """The keys of texts of about the same length, so many as one pass may have with padding."""
    group: list[int] = []
    for k in sorted(texts, key=lambda k: texts[k].width):
        if group and (len(group) + 1) * texts[k].width > tokens_max:
            yield group
            group = []
        group.append(k)
    if group:
        yield group


def _padded(text: Text, vocabulary: Vocabulary, width: int) -> list[int]:
    no_timestamps = vocabulary.tokenizer.no_timestamps
    tokens = [*text.start, no_timestamps, *text.tokens, vocabulary.eot]
    return tokens + [vocabulary.eot] * (width - len(tokens))


def _probabilities(model: Whisper, states: mx.array, text: Text, eot: int) -> mx.array:
    """How probable each token of a text is among all text tokens: states (T, state) -> (n,)."""
    first = len(text.start)
    said = states[first : first + len(text.tokens)]
    logits = model.decoder.token_embedding.as_linear(said)[:, :eot].astype(mx.float32)
    chosen = mx.take_along_axis(logits, mx.array(text.tokens)[:, None], axis=-1)[:, 0]
    return mx.exp(chosen - mx.logsumexp(logits, axis=-1))


def _look(scores: mx.array, text: Text) -> mx.array:
    """Where each token looks more than the others do: (heads, T, 1500) -> (n + 1, frames).

    Row k is what the model looks at when it is about to say token k, the last the end of text.
    """
    weights = mx.softmax(scores[..., : text.frames].astype(mx.float32), axis=-1)
    mean = weights.mean(axis=-2, keepdims=True)
    # Where no token looks at all, there is nothing to tell apart: 0, not 0 / 0.
    deviation = mx.maximum(mx.sqrt(weights.var(axis=-2, keepdims=True)), 1e-30)
    filtered = median_filter((weights - mean) / deviation)
    return filtered.mean(axis=0)[len(text.start) : -1]


def median_filter(x: mx.array) -> mx.array:
    """Each number becomes the median of the seven around it, mirrored at the ends, last axis.

    By exchanges of whole arrays, which cost a GPU next to nothing; it has no fast sort of seven.
    """
    half, length = FILTER_WIDTH // 2, x.shape[-1]
    if length <= half:
        return x
    mirrored = x[..., mx.array(np.pad(np.arange(length), half, mode="reflect"))]
    return _median([mirrored[..., k : k + length] for k in range(FILTER_WIDTH)])


def _median(arrays: list[mx.array]) -> mx.array:
    """Number by number, the median of an odd number of arrays.

    The least and the greatest of more than half of them are not the median: they are left out, and
    the next array takes part.
    """
    half = len(arrays) // 2 + 2
    running, rest = arrays[:half], arrays[half:]
    while len(running) > 1:
        running = _without_extremes(running) + rest[:1]
        rest = rest[1:]
    return running[0]


def _without_extremes(arrays: list[mx.array]) -> list[mx.array]:
    """Number by number, the arrays without their least and their greatest, in any order."""
    (least, *others), kept = arrays, list[mx.array]()
    for array in others:
        kept.append(mx.maximum(least, array))
        least = mx.minimum(least, array)
    (greatest, *others), kept = kept, list[mx.array]()
    for array in others:
        kept.append(mx.minimum(greatest, array))
        greatest = mx.maximum(greatest, array)
    return kept


def _worded(
    row: Row,
    hypothesis: Hypothesis,
    alignment: Alignment,
    vocabulary: Vocabulary,
    lag_s: float,
) -> Hypothesis:
    """The hypothesis with its words; pieces that nobody spoke stay as they are."""
    window, pieces = hypothesis.window, hypothesis.pieces
    heard_s = [window.start_s + start_s - lag_s for start_s in alignment.starts_s]
    audible = [piece for piece in pieces if _is_audible(piece, window)]
    placed = place(
        audible,
        [vocabulary.spell(_tokens(piece, vocabulary), row.decoding) for piece in audible],
        [min(max(heard, window.start_s), window.end_s) for heard in heard_s],
        alignment.probabilities,
        heard_from_s=window.start_s,
    )
    try:
        samples = window.audio.read(window.start_s, window.end_s)
    except FileNotFoundError:  # its caller has left during this step: nobody reads these words
        return hypothesis
    pauses = find_pauses(samples, window.start_s)
    worded = dict(zip(audible, beside_pauses(placed, pauses), strict=True))
    return replace(hypothesis, pieces=tuple(worded.get(piece, piece) for piece in pieces))


def _tokens(piece: Piece, vocabulary: Vocabulary) -> list[int]:
    """Those of text, without timestamps."""
    return [token for token in piece.tokens if token < vocabulary.eot]
