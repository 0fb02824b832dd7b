"""A batch of rows being decoded by one model: rows join it and leave it between token steps.

Keys and values of the text said so far lie in columns; a step writes one column for every row.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import mlx.core as mx

from asr.pipeline.engine import Said
from asr.pipeline.fallback import next_temperature
from asr.pipeline.lines import Line, Unread, leaving
from asr.pipeline.network import cross_keys_values, prefill, say, step
from asr.pipeline.rules import Choice, Rules, Stamps, Ways
from asr.pipeline.slots import BLOCK, Slots
from asr.pipeline.timing import add_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlx_whisper.whisper import Whisper

    from asr.pipeline.engine import Row, SoFar
    from asr.pipeline.types import Hypothesis
    from asr.pipeline.vocabulary import Vocabulary


class Habits(NamedTuple):
    """What pays on a device. The defaults are a CPU's."""

    # Steps that may be under way when the host reads a token: 1 keeps a GPU busy while Python
    # prepares the next. A CPU would only copy the keys and values that a step is reading.
    ahead: int = 0
    # Rows whose words are timed in one pass: see ``lines.leaving``.
    words_together: int = 1
    # Steps that half of the slots stay empty before they go. To a GPU an empty slot is next to
    # nothing, and to move all others much; a CPU works as long on an empty one as on a full one.
    linger: int = 0


CPU_HABITS = Habits()


class Batch:
    """Rows on one model. Used by one thread."""

    def __init__(
        self, model: Whisper, vocabulary: Vocabulary, *, habits: Habits = CPU_HABITS
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._rules = Rules.of(vocabulary)
        self._habits = habits
        self._slots = Slots(model)
        self._lines: list[Line | None] = []  # by slot
        self._width = 0  # columns written so far
        self._unread: deque[Unread] = deque()
        self._news = 0  # tokens read and not told yet
        self._stepping = False  # may a step be under way?
        self._roomy = 0  # steps for which half of the slots have been empty
        # By slot, on the device:
        self._tokens = mx.array([], mx.int32)  # the last one that was said
        self._stamps = Stamps.fresh(vocabulary, 0)
        self._starts = mx.array([], mx.int32)
        self._ways = Ways.of([])

    def __len__(self) -> int:
        return sum(line is not None for line in self._lines)

    @property
    def bytes(self) -> int:
        """What its rows, and the slots that wait for others, take."""
        return self._slots.bytes

    @property
    def row_bytes_max(self) -> int:
        """What a row may come to take."""
        return self._slots.row_bytes(self._vocabulary.context + 2 * BLOCK)  # columns lie in blocks

    def join(self, rows: Sequence[Row], features: mx.array, *, slots_max: int) -> None:
        """Run the prompts of new rows and let them say their first token. Features (B, 1500, S).

        There will be ``slots_max`` slots at most, or as many as rows.
        """
        prompts = [self._vocabulary.prompt(row.decoding) for row in rows]
        width = max(map(len, prompts))
        cross = cross_keys_values(self._model, features)
        lengths = mx.array([len(prompt) for prompt in prompts])
        padded = mx.array([[0] * (width - len(prompt)) + [*prompt] for prompt in prompts])
        states, cache = prefill(self._model, padded, lengths, cross)
        ways = Ways.of(rows)
        choice = self._rules.choose_first(
            say(self._model, states[:, -1]), ways, sample=_any_warm(rows)
        )
        self._have_columns(width)
        slots = self._free_slots(len(rows), slots_max)
        self._wait_for_steps()
        self._slots.write(slots, cross, cache, end=self._width)
        lines = self._sit_down(rows, prompts, slots)
        self._say_first(slots, choice)
        silence = self._no_speech(states, [self._vocabulary.sot_from_end(p) for p in prompts])
        self._unread.append(Unread(tuple(enumerate(lines)), choice, silence))
        mx.async_eval(choice, silence, self._slots.cross, self._slots.cache)  # type: ignore[no-untyped-call]

    def advance(self) -> Said:
        """A token more for every row; those that ended leave with what they said."""
        self._close_ranks()
        if len(self):
            self._step()
        self._read(self._habits.ahead)
        news, self._news = self._news, 0
        return Said(news, self._leave())

    def growing(self, rows: Sequence[Row]) -> tuple[SoFar, ...]:
        """What rows in the batch have said so far."""
        lines = {id(line.row): line for line in self._present()}
        return tuple(self._so_far(lines[id(row)]) for row in rows)

    def drop(self, rows: Sequence[Row]) -> None:
        """Forget rows that nobody waits for any more."""
        gone = {id(row) for row in rows}
        if lines := [line for line in self._present() if id(line.row) in gone]:
            self._stand_up(lines)

    def _present(self) -> list[Line]:
        return [line for line in self._lines if line is not None]

    def _wait_for_steps(self) -> None:
        """A step under way holds the slots' arrays: to write to them now would copy them all."""
        if self._stepping:
            mx.synchronize()
            self._stepping = False

    def _sit_down(
        self, rows: Sequence[Row], prompts: Sequence[tuple[int, ...]], slots: Sequence[int]
    ) -> list[Line]:
        lines = []
        for row, prompt, slot in zip(rows, prompts, slots, strict=True):
            room = self._vocabulary.context - len(prompt) + 1  # the last token is not read again
            line = Line(row, self._width - len(prompt), min(self._vocabulary.text_max, room))
            self._lines[slot] = line
            lines.append(line)
        self._tell_lines()
        return lines

    def _say_first(self, slots: Sequence[int], choice: Choice) -> None:
        at = mx.array([*slots])
        first = Stamps.fresh(self._vocabulary, len(slots)).after(choice.tokens, self._vocabulary)
        self._tokens = mx.put_along_axis(self._tokens, at, choice.tokens, axis=0)
        self._stamps = self._stamps.put(at, first)

    def _tell_lines(self) -> None:
        """What the device has to know of the lines; an empty slot is as a row that just began."""
        starts = [self._width if line is None else line.start for line in self._lines]
        self._starts = mx.array(starts, mx.int32)
        self._ways = Ways.of([None if line is None else line.row for line in self._lines])

    def _step(self) -> None:
        """The next token of every row, on its way: nothing is waited for."""
        self._have_columns(0)
        logits = step(
            self._model,
            self._tokens,
            self._starts,
            self._width,
            self._slots.cache,
            self._slots.cross,
        )
        warm = _any_warm([line.row for line in self._present()])
        choice = self._rules.choose(logits, self._stamps, self._ways, sample=warm)
        ended = self._tokens == self._vocabulary.eot  # such a row says the end again
        self._tokens = mx.where(ended, self._vocabulary.eot, choice.tokens)
        self._stamps = self._stamps.after(self._tokens, self._vocabulary)
        self._width += 1
        self._stepping = True
        lines = tuple((slot, line) for slot, line in enumerate(self._lines) if line is not None)
        self._unread.append(Unread(lines, Choice(self._tokens, choice.logprobs)))
        mx.async_eval(self._tokens, choice.logprobs, self._stamps)  # type: ignore[no-untyped-call]

    def _read(self, left: int) -> None:
        """Take in what the rows said, all but the last so many times."""
        while len(self._unread) > left:
            self._news += self._unread.popleft().read(eot=self._vocabulary.eot)

    def _leave(self) -> tuple[tuple[Row, Hypothesis], ...]:
        """Take rows that have ended out of the batch."""
        slots = leaving(self._lines, words_together=self._habits.words_together)
        if not slots:
            return ()
        lines = [line for slot in slots if (line := self._lines[slot])]
        answers = [(line.row, self._hypothesis(line)) for line in lines]
        believed = [k for k, answer in enumerate(answers) if next_temperature(*answer) is None]
        worded = add_words(
            self._model,
            self._vocabulary,
            [answers[k] for k in believed],
            at=[slots[k] for k in believed],
            cross=self._slots.cross,
        )
        for k, answer in zip(believed, worded, strict=True):
            answers[k] = answer
        self._stand_up(lines)
        return tuple(answers)

    def _hypothesis(self, line: Line) -> Hypothesis:
        return self._vocabulary.hypothesis(
            line.row, line.tokens, logprobs=line.logprobs, no_speech_prob=line.no_speech_prob
        )

    def _so_far(self, line: Line) -> SoFar:
        return self._vocabulary.so_far(
            line.row, line.tokens, logprobs=line.logprobs, no_speech_prob=line.no_speech_prob
        )

    def _stand_up(self, lines: Sequence[Line]) -> None:
        """Empty the slots of lines; when nobody is left, all memory is freed at once."""
        gone = {id(line) for line in lines}
        self._lines = [None if line and id(line) in gone else line for line in self._lines]
        if not len(self):
            self._unread.clear()
            self._resize(0, [])

    def _free_slots(self, count: int, slots_max: int) -> list[int]:
        """Slots for so many rows more, the lowest that are free."""
        needed = len(self) + count
        if needed > len(self._lines):
            size = max(needed, min(_power_of_two(needed), slots_max))
            self._resize(size, range(len(self._lines)))
        return [i for i, line in enumerate(self._lines) if line is None][:count]

    def _close_ranks(self) -> None:
        """When half of the slots stay empty, there are only as many as the rows need.

        Only now, before a step, so that whoever joins takes the empty ones first.
        """
        size = _power_of_two(len(self))
        self._roomy = self._roomy + 1 if 2 * size <= len(self._lines) else 0
        if self._roomy > self._habits.linger:
            self._resize(size, [i for i, line in enumerate(self._lines) if line is not None])
            self._roomy = 0

    def _resize(self, size: int, kept: Sequence[int]) -> None:
        """Have so many slots; lines, and what the device knows of them, move with their slots.

        What is unread is read first, so that no step holds the arrays that move.
        """
        self._read(0)
        self._slots.resize(size, kept)
        more = size - len(kept)
        self._lines = [self._lines[i] for i in kept] + [None] * more
        end = mx.full(more, self._vocabulary.eot, mx.int32)
        fresh = Stamps.fresh(self._vocabulary, more)
        if kept:
            rows = mx.array([*kept])
            end = mx.concatenate([self._tokens[rows], end])
            fresh = self._stamps.followed(rows, fresh)
        self._tokens, self._stamps = end, fresh
        self._tell_lines()

    def _have_columns(self, prompt: int) -> None:
        """Columns for a prompt that ends where the text ends, and for a token after it."""
        if not len(self):
            self._width = prompt
        short = max(0, prompt - self._width)
        if self._width < self._slots.columns and not short:
            return
        first = min((line.start for line in self._present()), default=0)
        by = short or -(first // BLOCK * BLOCK)  # dead columns on the left go
        self._width += by
        for line in self._present():
            line.start += by
        self._slots.shift(by, columns=(self._width // BLOCK + 1) * BLOCK)
        self._tell_lines()

    def _no_speech(self, states: mx.array, starts: Sequence[int]) -> mx.array:
        """The probability that nobody speaks, where each transcript starts: states (B, P, state).

        ``starts`` counts from the prompts' end.
        """
        rows = mx.arange(states.shape[0])
        there = states[rows, states.shape[1] - mx.array([*starts])]
        logits = say(self._model, there).astype(mx.float32)
        return mx.softmax(logits, axis=-1)[:, self._vocabulary.tokenizer.no_speech]


def _power_of_two(rows: int) -> int:
    """The least that is not less; 0 for none."""
    return 1 << (rows - 1).bit_length() if rows else 0


def _any_warm(rows: Sequence[Row]) -> bool:
    return any(row.temperature > 0 for row in rows)
