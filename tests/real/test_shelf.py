"""Models in memory: which stay, which go, and what that costs whoever is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.pipeline.engine import EngineSettings, ModelFolder, Row
from asr.pipeline.shelf import Shelf
from asr.pipeline.whisper import WhisperEngine
from tests.real.rows import ENGLISH, heard, plain

if TYPE_CHECKING:
    from asr.pipeline.shelf import Shelved
    from asr.pipeline.types import Window

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    return WhisperEngine(EngineSettings(compute_type="float32"))


def test_to_unload_a_model_gives_its_memory_back(
    engine: WhisperEngine, tiny: ModelFolder, windows: dict[str, Window]
) -> None:
    heard(engine, tiny, windows["jfk"])
    size = next(model.bytes for model in engine.loaded() if model.name == tiny.name)
    before = engine.memory()
    engine.unload(tiny.name)
    after = engine.memory()
    assert before.active - after.active >= 0.9 * size
    assert after.cached == 0
    assert tiny.name not in {model.name for model in engine.loaded()}


def test_a_model_with_rows_in_the_batch_stays(
    engine: WhisperEngine, tiny: ModelFolder, windows: dict[str, Window]
) -> None:
    row = Row(windows["jfk"], ENGLISH)
    engine.admit(tiny, [row])
    engine.unload(tiny.name)
    assert tiny.name in {model.name for model in engine.loaded()}
    engine.drop([row])
    engine.unload(tiny.name)
    assert tiny.name not in {model.name for model in engine.loaded()}


def test_to_unload_a_model_costs_the_rows_of_another_one_nothing(
    engine: WhisperEngine, base: ModelFolder, tiny: ModelFolder, windows: dict[str, Window]
) -> None:
    engine.load(tiny)
    row = Row(windows["jfk"], ENGLISH)
    engine.admit(base, [row])
    engine.advance()
    engine.unload(tiny.name)
    assert [model.name for model in engine.loaded()] == [base.name]
    while not (answers := engine.advance().finished):
        assert engine.growing([row])
    assert answers[0][0] == row
    assert "ask what you can do for your country" in plain(answers[0][1])


def test_weights_are_kept_in_half_of_the_memory_at_most(
    base: ModelFolder, tiny: ModelFolder, shelved_base: Shelved, shelved_tiny: Shelved
) -> None:
    room = 2 * (shelved_base.bytes + shelved_tiny.bytes)
    for spare, kept in ((0.01, [base.name, tiny.name]), (-0.01, [tiny.name])):
        memory_max_mb = round(room * (1 + spare) / 1_000_000)
        small = WhisperEngine(EngineSettings(compute_type="float32", memory_max_mb=memory_max_mb))
        small.load(base)
        small.load(tiny)
        assert [model.name for model in small.loaded()] == kept


def test_two_models_take_turns_without_being_read_again(
    shelf: Shelf, base: ModelFolder, tiny: ModelFolder, shelved_base: Shelved, shelved_tiny: Shelved
) -> None:
    assert shelf.take(tiny) is shelved_tiny
    assert shelf.take(base) is shelved_base
    assert [model.name for model in shelf.loaded()] == ["tiny.en", "base"]
    assert shelf.take(tiny) is shelved_tiny
    assert [model.name for model in shelf.loaded()] == ["base", "tiny.en"]


def test_the_least_recently_used_model_goes_when_the_next_would_pass_the_bound(
    base: ModelFolder, tiny: ModelFolder, shelved_base: Shelved, shelved_tiny: Shelved
) -> None:
    again = ModelFolder("again", tiny.path)
    both = Shelf("float32", 2 * shelved_tiny.bytes)
    for model in (tiny, again, tiny):
        both.take(model)
    assert [model.name for model in both.loaded()] == ["again", "tiny.en"]
    both.take(ModelFolder("third", tiny.path))
    assert [model.name for model in both.loaded()] == ["tiny.en", "third"]
    both.take(base)  # larger than the bound: there all the same, and alone
    assert [(model.name, model.bytes) for model in both.loaded()] == [("base", shelved_base.bytes)]
