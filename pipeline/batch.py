"""A batch of rows being decoded by one model: rows join it and leave it between token steps.

All arrays have one row a window. Keys and values of the text said so far lie in columns; a step
writes one column for every row. Columns are added and dropped in blocks, so that few shapes occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx

from asr.pipeline.host import floats, integer, ints
from asr.pipeline.network import KeysValues, cross_keys_values, prefill, step
from asr.pipeline.rules import Choice, Rules, Stamps
from asr.pipeline.timing import add_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlx_whisper.whisper import Whisper

    from asr.pipeline.engine import Row
    from asr.pipeline.types import Hypothesis
    from asr.pipeline.vocabulary import Vocabulary

BLOCK = 64  # columns of keys and values are added and dropped by so many


class State(NamedTuple):
    """What the device knows of every row; the first axis of every array is the row."""

    cache: list[KeysValues]  # a layer: keys and values of the text, (B, H, C, D)
    cross: list[KeysValues]  # a layer: keys and values of the audio, (B, H, 1500, D)
    starts: mx.array  # (B,) the row's first column
    positions: mx.array  # (B,) the position of its next token
    tokens: mx.array  # (B,) the last token it said
    logprobs: mx.array  # (B,) the sum over the tokens it said
    temperatures: mx.array  # (B,)
    said: Stamps


@dataclass(slots=True)
class Line:
    """What the host knows of a row: the tokens it said, and when it has to stop."""

    row: Row
    tokens: list[int]
    tokens_max: int
    no_speech_prob: float


class Batch:
    """Rows on one model. Used by one thread."""

    def __init__(self, model: Whisper, vocabulary: Vocabulary) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._rules = Rules.of(vocabulary)
        self._lines: list[Line] = []
        self._state: State | None = None
        self._width = 0  # columns written so far

    def __len__(self) -> int:
        return len(self._lines)

    def join(self, rows: Sequence[Row], features: mx.array) -> None:
        """Run the prompts of new rows and let them say their first token. Features (B, 1500, S)."""
        prompts = [self._vocabulary.prompt(row.decoding) for row in rows]
        width = max(map(len, prompts))
        cross = cross_keys_values(self._model, features)
        lengths = mx.array([len(prompt) for prompt in prompts])
        padded = mx.array([[0] * (width - len(prompt)) + [*prompt] for prompt in prompts])
        logits, cache = prefill(self._model, padded, lengths, cross)
        temperatures = mx.array([row.temperature for row in rows])
        choice = self._rules.choose_first(logits[:, -1], temperatures, sample=_any_warm(rows))
        said = Stamps.fresh(self._vocabulary, len(rows)).after(choice.tokens, self._vocabulary)
        state = State(
            cache, cross, width - lengths, lengths, *choice, temperatures=temperatures, said=said
        )
        self._begin_lines(rows, prompts, choice.tokens, self._no_speech(logits))
        self._add(state, width)

    def advance(self, steps: int) -> tuple[tuple[Row, Hypothesis], ...]:
        """At most ``steps`` tokens more for every row; those that ended leave with what they said.

        No step waits for the one before: the host looks at the tokens after the last.
        """
        said = [self._step(self._state) for _ in range(steps) if self._state is not None]
        for tokens in said:
            for line, token in zip(self._lines, ints(tokens), strict=True):
                line.tokens.append(token)
        return self._leave()

    def drop(self, rows: Sequence[Row]) -> None:
        """Forget rows that nobody waits for any more, and free their arrays."""
        gone = {id(row) for row in rows}
        self._keep([i for i, line in enumerate(self._lines) if id(line.row) not in gone])

    def _begin_lines(
        self,
        rows: Sequence[Row],
        prompts: Sequence[tuple[int, ...]],
        tokens: mx.array,
        no_speech: mx.array,
    ) -> None:
        mx.eval(tokens, no_speech)
        firsts, silences = ints(tokens), floats(no_speech)
        for row, prompt, token, silence in zip(rows, prompts, firsts, silences, strict=True):
            room = self._vocabulary.context - len(prompt)
            self._lines.append(Line(row, [token], min(self._vocabulary.text_max, room), silence))

    def _add(self, state: State, width: int) -> None:
        """Both states as one; the narrower moves right until both end in the same column."""
        wider = max(self._width, width)
        columns = (wider // BLOCK + 1) * BLOCK
        state = _moved(state, wider - width, columns)
        if self._state is not None:
            mine = _moved(self._state, wider - self._width, columns)
            state = _each(lambda a, b: mx.concatenate([a, b]), mine, state)
        self._state, self._width = state, wider

    def _step(self, state: State) -> mx.array:
        """The next token of every row, (B,), on its way: nothing is waited for."""
        state = self._with_room(state)
        logits = step(
            self._model,
            state.tokens,
            mx.minimum(state.positions, self._vocabulary.context - 1),
            state.starts,
            self._width,
            state.cache,
            state.cross,
        )
        warm = _any_warm([line.row for line in self._lines])
        choice = self._rules.choose(logits, state.said, state.temperatures, sample=warm)
        self._state = state = self._after(state, choice)
        self._width += 1
        mx.async_eval(state.tokens, state.logprobs)  # type: ignore[no-untyped-call]
        return state.tokens

    def _after(self, state: State, choice: Choice) -> State:
        """Every row has said its token; one that has ended says the end again, at no cost."""
        ended = state.tokens == self._vocabulary.eot
        tokens = mx.where(ended, self._vocabulary.eot, choice.tokens)
        return state._replace(
            tokens=tokens,
            logprobs=state.logprobs + mx.where(ended, 0.0, choice.logprobs),
            positions=state.positions + 1,
            said=state.said.after(tokens, self._vocabulary),
        )

    def _with_room(self, state: State) -> State:
        """Space for one more column: dead columns on the left go first, else a block is added."""
        columns = state.cache[0][0].shape[2]
        if self._width < columns:
            return state
        dead = integer(state.starts.min()) // BLOCK * BLOCK
        self._width -= dead
        return _moved(state, -dead, columns if dead else columns + BLOCK)

    def _leave(self) -> tuple[tuple[Row, Hypothesis], ...]:
        """Take the rows that have ended out of the batch."""
        ended = [i for i, line in enumerate(self._lines) if self._has_ended(line)]
        if not ended or self._state is None:
            return ()
        logprobs = floats(self._state.logprobs)
        answers = [
            (self._lines[i].row, self._hypothesis(self._lines[i], logprobs[i])) for i in ended
        ]
        cross = self._state.cross
        worded = add_words(self._model, self._vocabulary, answers, at=ended, cross=cross)
        self._keep(sorted({*range(len(self._lines))} - {*ended}))
        return worded

    def _has_ended(self, line: Line) -> bool:
        return len(line.tokens) >= line.tokens_max or self._vocabulary.eot in line.tokens

    def _hypothesis(self, line: Line, sum_logprob: float) -> Hypothesis:
        eot = self._vocabulary.eot
        end = line.tokens.index(eot) if eot in line.tokens else line.tokens_max
        return self._vocabulary.hypothesis(
            line.row,
            line.tokens[:end],
            sum_logprob=sum_logprob,
            no_speech_prob=line.no_speech_prob,
        )

    def _keep(self, kept: list[int]) -> None:
        if self._state is None or len(kept) == len(self._lines):
            return
        self._lines = [self._lines[i] for i in kept]
        rows = mx.array(kept)
        self._state = _each(lambda array: array[rows], self._state) if kept else None
        self._width = self._width if kept else 0

    def _no_speech(self, logits: mx.array) -> mx.array:
        """The probability that nobody speaks, where the transcript starts: logits (B, P, V)."""
        start = logits[:, logits.shape[1] - self._vocabulary.sot_from_end].astype(mx.float32)
        return mx.softmax(start, axis=-1)[:, self._vocabulary.tokenizer.no_speech]


def _any_warm(rows: Sequence[Row]) -> bool:
    return any(row.temperature > 0 for row in rows)


def _each(change: Callable[..., mx.array], *states: Any) -> Any:
    """``change`` applied to the arrays that have the same place in each of the states."""
    first = states[0]
    if isinstance(first, mx.array):
        return change(*states)
    parts = [_each(change, *branches) for branches in zip(*states, strict=True)]
    return type(first)(*parts) if isinstance(first, State | Stamps) else type(first)(parts)


def _moved(state: State, shift: int, columns: int) -> State:
    """The same state with its text ``shift`` columns further right, in ``columns`` in all."""

    def move(array: mx.array) -> mx.array:
        array = array[:, :, max(0, -shift) :][:, :, : columns - max(0, shift)]
        left = max(0, shift)
        return mx.pad(array, [(0, 0), (0, 0), (left, columns - left - array.shape[2]), (0, 0)])

    cache = [(move(keys), move(values)) for keys, values in state.cache]
    return state._replace(cache=cache, starts=state.starts + shift)
