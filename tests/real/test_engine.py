"""The engine on real weights: what it detects, holds and frees, and rows that come and go."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from mlx_whisper.decoding import detect_language

from asr.pipeline.batch import Batch
from asr.pipeline.engine import EngineSettings, ModelFolder, Row
from asr.pipeline.types import Decoding
from asr.pipeline.whisper import WhisperEngine
from tests.real.rows import ENGLISH, Bench, heard, plain

if TYPE_CHECKING:
    from asr.pipeline.shelf import Shelved
    from asr.pipeline.types import Window
    from tests.real.ears import Ears
    from tests.real.rows import Ask

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time

JFK = ("ask not what your country can do for you", "ask what you can do for your country")


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    return WhisperEngine(EngineSettings(compute_type="float32"))


@pytest.fixture(scope="module")
def asks(shelved_tiny: Shelved, ears: Ears) -> dict[str, Ask]:
    names = ("jfk", "austen", "dashwood")
    return {name: ears.ask(shelved_tiny, name, ENGLISH) for name in names}


@pytest.fixture(scope="module")
def alone(shelved_tiny: Shelved, asks: dict[str, Ask]) -> dict[str, tuple[int, ...]]:
    """What each sound says with nobody else in the batch: test_oracle.py holds it to be right."""
    said: dict[str, tuple[int, ...]] = {}
    for name, ask in asks.items():
        bench = Bench(shelved_tiny)
        bench.join([ask])
        said[name] = bench.finish()[name]
    return said


@pytest.mark.parametrize(("sound", "language"), [("jfk", "en"), ("german", "de")])
def test_the_language_is_the_one_that_mlx_whisper_detects(
    engine: WhisperEngine,
    base: ModelFolder,
    shelved_base: Shelved,
    windows: dict[str, Window],
    ears: Ears,
    sound: str,
    language: str,
) -> None:
    (detected,) = engine.detect(base, [windows[sound]])
    features = ears.ask(shelved_base, sound, ENGLISH).features
    probabilities: Any = detect_language(shelved_base.model, features)[1]
    best = max(probabilities, key=probabilities.get)
    assert detected.language == best == language
    assert detected.probability == pytest.approx(probabilities[best], abs=1e-3)


def test_an_english_model_needs_no_look_to_hear_english(
    engine: WhisperEngine, tiny: ModelFolder, windows: dict[str, Window]
) -> None:
    (detected,) = engine.detect(tiny, [windows["german"]])
    assert (detected.language, detected.probability) == ("en", 1.0)


def test_int8_takes_a_third_of_the_memory_and_hears_the_same_words(
    tiny: ModelFolder, shelved_tiny: Shelved, windows: dict[str, Window]
) -> None:
    engine = WhisperEngine(EngineSettings(compute_type="int8"))
    said = plain(heard(engine, tiny, windows["jfk"]))
    assert all(words in said for words in JFK)
    assert engine.loaded()[0].bytes < shelved_tiny.bytes / 3


def test_rows_that_are_dropped_midway_change_nothing_for_the_others(
    shelved_tiny: Shelved, asks: dict[str, Ask], alone: dict[str, tuple[int, ...]]
) -> None:
    bench = Bench(shelved_tiny)
    bench.join(list(asks.values()))
    bench.advance(5)
    bench.drop("austen")
    bench.advance(5)
    bench.drop("dashwood")
    assert bench.finish() == {"jfk": alone["jfk"]}


def test_rows_that_join_late_again_and_again_use_many_blocks_of_columns_and_say_the_same(
    shelved_tiny: Shelved, asks: dict[str, Ask], alone: dict[str, tuple[int, ...]]
) -> None:
    # A row of about 40 tokens joins every 15 steps, 14 times: 240 columns, where a block is 64,
    # and at each step two or three rows at different places.
    bench = Bench(shelved_tiny)
    order = [(turn, random.Random(turn).choice(list(asks))) for turn in range(14)]
    for turn, name in order:
        ask = asks[name]
        bench.join([replace(ask, name=f"{turn} {name}")])
        bench.advance(15)
    assert bench.finish() == {f"{turn} {name}": alone[name] for turn, name in order}


def test_a_row_that_does_not_end_stops_at_half_of_the_context(
    shelved_tiny: Shelved, asks: dict[str, Ask], alone: dict[str, tuple[int, ...]]
) -> None:
    bench = Bench(shelved_tiny, context=24)
    bench.join([asks["austen"], asks["jfk"]])
    assert bench.finish() == {name: alone[name][:12] for name in ("austen", "jfk")}


def test_of_a_long_prompt_the_end_counts_and_leaves_room_for_the_text(
    shelved_tiny: Shelved, windows: dict[str, Window], ears: Ears, asks: dict[str, Ask]
) -> None:
    tail = " ".join(f"Word number {i} of many." for i in range(60))
    long, longer = (Decoding("en", prompt=prompt) for prompt in (tail, "No, nothing. " * 90 + tail))
    vocabulary = shelved_tiny.vocabulary
    assert len(vocabulary.tokenizer.encode(tail)) > 223
    assert vocabulary.prompt(longer) == vocabulary.prompt(long)
    assert len(vocabulary.prompt(long)) == 1 + 223 + 1
    bench = Bench(shelved_tiny)
    bench.join([ears.ask(shelved_tiny, "jfk", long, name="long"), asks["jfk"]])
    bench.finish()
    said = plain(bench.said["long"].hypothesis)
    assert all(words in said for words in JFK)


def test_what_is_sampled_ends_and_depends_on_window_and_temperature_alone(
    shelved_tiny: Shelved, asks: dict[str, Ask]
) -> None:
    said: list[dict[str, tuple[int, ...]]] = []
    for temperature, names in ((0.8, ["jfk", "austen"]), (0.8, ["austen"]), (0.9, ["austen"])):
        bench = Bench(shelved_tiny)
        bench.join([asks[name] for name in names], temperature=temperature)
        said.append(bench.finish())
    assert said[0]["austen"] == said[1]["austen"] != said[2]["austen"]


def test_a_cold_row_beside_warm_ones_stays_greedy(
    shelved_tiny: Shelved, asks: dict[str, Ask], alone: dict[str, tuple[int, ...]]
) -> None:
    bench = Bench(shelved_tiny)
    bench.join([asks["austen"]], temperature=1.0)
    bench.join([asks["jfk"]])
    assert bench.finish()["jfk"] == alone["jfk"]


def test_as_many_rows_join_as_memory_has_room_for_and_one_at_least(
    tiny: ModelFolder, shelved_tiny: Shelved, windows: dict[str, Window]
) -> None:
    row_bytes = Batch(shelved_tiny.model, shelved_tiny.vocabulary).row_bytes_max
    rows = [Row(windows["jfk"], ENGLISH) for _ in range(4)]
    for room, joined in ((3.5, 3), (0.5, 1)):
        used = mx.get_active_memory() + shelved_tiny.bytes
        bound_mb = math.ceil((used + room * row_bytes) / 1e6)
        engine = WhisperEngine(EngineSettings(compute_type="float32", memory_max_mb=bound_mb))
        assert engine.admit(tiny, rows) == joined
        assert engine.admit(tiny, rows[joined:]) == 0
        engine.drop(rows)
        engine.unload(tiny.name)


def test_after_a_reset_nothing_is_left_but_the_weights(
    tiny: ModelFolder, windows: dict[str, Window]
) -> None:
    engine = WhisperEngine(EngineSettings(compute_type="float32"))
    engine.load(tiny)
    before = engine.memory().active
    engine.admit(tiny, [Row(windows["jfk"], ENGLISH)])
    engine.advance()
    assert engine.memory().active > before + 10_000_000
    engine.reset()
    assert engine.memory().active < before + 1_000_000
    assert "your country" in plain(heard(engine, tiny, windows["jfk"]))


def test_who_joins_or_leaves_copies_nothing_of_the_others(
    shelved_tiny: Shelved, asks: dict[str, Ask]
) -> None:
    bench = Bench(shelved_tiny)
    for i in range(7):
        bench.join([replace(asks["jfk"], name=f"jfk {i}")])
    bench.advance(3)
    mx.synchronize()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    bench.join([asks["austen"]])
    bench.advance(1)
    # Beside the eight slots of 20 MB there is once more the row that joins, and its prompt's work.
    assert mx.get_peak_memory() - before < 3 * 20_000_000
    bench.drop("austen")
    bench.advance(1)
    assert mx.get_active_memory() <= before + 1_000_000


def test_rows_that_nobody_waits_for_free_their_memory(
    shelved_tiny: Shelved, asks: dict[str, Ask]
) -> None:
    before = mx.get_active_memory()
    bench = Bench(shelved_tiny)
    bench.join(list(asks.values()))
    bench.advance(2)
    taken = mx.get_active_memory() - before
    bench.drop("austen")
    bench.drop("dashwood")
    bench.advance(1)
    assert mx.get_active_memory() - before < taken / 2
    bench.drop("jfk")
    bench.advance(1)
    assert mx.get_active_memory() - before < 1_000_000
