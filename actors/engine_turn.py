"""What the GPU actor has done in the engine's thread, as plain functions: one call, one turn.

Expected failures come back as values, each with the row or the window that it belongs to; whatever
else the engine raises is a crash.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from asr.actors.request import Detection
from asr.pipeline.engine import Engine, ModelFolder, Row, Said, SoFar
from asr.pipeline.errors import AsrError, EngineRestarted, NotEnoughMemory
from asr.pipeline.types import Decoding, Detected, Window

Detections: TypeAlias = list[tuple[Detection, Detected | AsrError]]
Refused: TypeAlias = list[tuple[Row, AsrError]]


class Turn(NamedTuple):
    """What the engine is to do with its batch: rows leave, rows join, and all take a step."""

    model: ModelFolder | None
    gone: tuple[Row, ...] = ()
    joining: tuple[Row, ...] = ()
    growing: tuple[Row, ...] = ()  # rows whose text so far somebody wants to see


class TurnOutcome(NamedTuple):
    """What came of a turn."""

    said: Said | None  # None: memory ran out, and the engine has forgotten its batch
    refused: Refused
    left_out: Sequence[Row] = ()  # the last of those that were to join: memory had no room
    grown: tuple[tuple[Row, SoFar], ...] = ()


def take_turn(engine: Engine, turn: Turn) -> TurnOutcome:
    """One turn of the batch."""
    engine.drop(turn.gone)
    try:
        refused, left_out = _join(engine, turn.model, turn.joining)
        said = engine.advance()
        absent = {row for row, _ in (*refused, *said.finished)}.union(left_out)
        growing = [row for row in turn.growing if row not in absent]
        so_far = engine.growing(growing) if growing else ()
    except NotEnoughMemory:
        engine.reset()
        return TurnOutcome(None, [])
    return TurnOutcome(said, refused, left_out, tuple(zip(growing, so_far, strict=True)))


def detect(engine: Engine, asked: Sequence[Detection]) -> Detections | None:
    """The languages of windows on one model; None if memory ran out, and the batch is forgotten."""
    try:
        return _detect(engine, asked)
    except NotEnoughMemory:
        engine.reset()
        return None


def _detect(engine: Engine, asked: Sequence[Detection]) -> Detections:
    if not asked:
        return []
    try:
        answers = engine.detect(asked[0].model, [each.window for each in asked])
    except NotEnoughMemory:
        raise
    except AsrError as error:
        return [(each, error) for each in asked]
    except FileNotFoundError:
        left = [each for each in asked if _has_audio(each.window)]
        if len(left) == len(asked):
            raise
        gone = [(each, EngineRestarted()) for each in asked if each not in left]
        return [*gone, *_detect(engine, left)]
    return list(zip(asked, answers, strict=True))


def _join(
    engine: Engine, model: ModelFolder | None, rows: Sequence[Row]
) -> tuple[Refused, Sequence[Row]]:
    """Let rows join; who was refused, and who has to wait for room in memory."""
    if model is None:
        return [], ()
    barred = {
        decoding: error
        for decoding in dict.fromkeys(row.decoding for row in rows)
        if (error := _refusal(engine, model, decoding))
    }
    refused = [(row, barred[row.decoding]) for row in rows if row.decoding in barred]
    missing, left_out = _admit(engine, model, [row for row in rows if row.decoding not in barred])
    return [*refused, *missing], left_out


def _refusal(engine: Engine, model: ModelFolder, decoding: Decoding) -> AsrError | None:
    """Why the model cannot do this, if it cannot: bad input must not stop the others."""
    try:
        engine.check(model, decoding)
    except AsrError as error:
        return error
    return None


def _admit(
    engine: Engine, model: ModelFolder, rows: Sequence[Row]
) -> tuple[Refused, Sequence[Row]]:
    """As ``_join``, of rows that the model can do: audio goes with its caller, at any moment."""
    if not rows:
        return [], ()
    try:
        return [], rows[engine.admit(model, rows) :]
    except FileNotFoundError:
        left = [row for row in rows if _has_audio(row.window)]
        if len(left) == len(rows):
            raise
        gone = [(row, EngineRestarted()) for row in rows if row not in left]
        missing, left_out = _admit(engine, model, left)
        return [*gone, *missing], left_out


def _has_audio(window: Window) -> bool:
    return window.audio.path.exists()
