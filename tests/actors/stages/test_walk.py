"""A request's walk, once more: only what is not known is worked on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from asr.actors.jobs.local.journal import memory_journal
from asr.actors.stages.cache import Cache
from asr.actors.stages.sqlite_keep import open_sqlite_keep
from asr.pipeline.engine import ModelFolder
from asr.pipeline.errors import AlignmentUnavailable, NotEnoughMemory, SpeakersUnavailable
from asr.pipeline.speakers import SpeakerSettings
from asr.pipeline.types import KnownSpeaker, Options
from tests.actors.fake_tools import TWO
from tests.actors.fakes import said
from tests.actors.stages.conftest import NETWORKS
from tests.actors.stages.test_sqlite_keep import evicted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from asr.actors.stages.sqlite_keep import SqliteKeep
    from asr.pipeline.engine import Row
    from asr.pipeline.types import Hypothesis
    from tests.actors.walk import Walk

ALL = Options(words=True, diarize=True)  # and the language is detected


def work(walk: Walk) -> dict[str, float]:
    """How much each has worked: windows, languages, seconds searched, questions answered."""
    return {
        "windows": len(walk.script.admitted),
        "languages": sum("detect" in line for line in walk.script.record),
        "searched_s": walk.finder.heard_s,
        "diarizations": len(walk.diarizer.asked),
        "alignments": sum(len(question.segments) for question in walk.aligner.asked),
    }


async def more_work(walk: Walk, options: Options = ALL, *, job: str = "") -> dict[str, float]:
    """What had to be done for a request."""
    before = work(walk)
    await walk.transcribe(options, job=job)
    return {who: done - before[who] for who, done in work(walk).items() if done > before[who]}


async def test_the_second_time_nothing_is_worked_on_and_the_answer_is_the_same(
    kept_walk: Walk,
) -> None:
    first = await kept_walk.transcribe(ALL)
    told = [*kept_walk.progress]
    assert work(kept_walk) == {
        "windows": 2,
        "languages": 1,
        "searched_s": 60,
        "diarizations": 1,
        "alignments": 2,
    }
    assert await more_work(kept_walk) == {}
    assert await kept_walk.transcribe(ALL) == first
    news = [progress.segments for progress in told if progress.segments]
    again = [progress.segments for progress in kept_walk.progress[-len(told) :]]
    assert [segments for segments in again if segments] == news


async def test_what_is_kept_outlives_the_request_s_samples(
    kept_walk: Walk, keep: SqliteKeep
) -> None:
    first = await kept_walk.transcribe(ALL)
    await keep.flush()
    kept_walk.cache = Cache(keep, NETWORKS, "float32")  # as after a restart
    assert await kept_walk.transcribe(ALL) == first
    assert work(kept_walk)["windows"] == 2


async def test_another_number_of_speakers_is_another_diarization_and_no_more(
    kept_walk: Walk,
) -> None:
    await kept_walk.transcribe(ALL)
    for options in (
        replace(ALL, num_speakers=2),
        replace(ALL, min_speakers=2),
        replace(ALL, max_speakers=2),
    ):
        assert await more_work(kept_walk, options) == {"diarizations": 1}


async def test_other_settings_of_the_diarizer_are_another_diarization(kept_walk: Walk) -> None:
    await kept_walk.transcribe(ALL)
    for speakers in (
        SpeakerSettings(clustering_threshold=0.7),
        SpeakerSettings(min_duration_off_s=0.5),
        SpeakerSettings(param_overrides={"clustering": {"threshold": 0.7}}),
    ):
        kept_walk.speakers = speakers
        assert await more_work(kept_walk) == {"diarizations": 1}
    kept_walk.speakers = SpeakerSettings(fill_nearest=True, resegment=True)  # after the diarizer
    assert await more_work(kept_walk) == {}


class Lengths(dict[str, float]):
    """A minute of sound in all files but clips: ``clip_s`` in those."""

    clip_s = 3.0

    def get(self, name: str, default: float = 60.0) -> float:  # type: ignore[override]
        return self.clip_s if name.endswith(".upload") else default


async def test_known_voices_are_told_by_their_samples_and_names(kept_walk: Walk) -> None:
    def asking(*names: str) -> Options:
        return replace(ALL, known_speakers=tuple(KnownSpeaker(name, b"clip") for name in names))

    kept_walk.decoder.seconds = lengths = Lengths()
    assert (await more_work(kept_walk, asking("Ada")))["diarizations"] == 1
    assert await more_work(kept_walk, asking("Ada")) == {}
    assert await more_work(kept_walk, asking("Bob")) == {"diarizations": 1}
    assert await more_work(kept_walk, asking("Ada", "Bob")) == {"diarizations": 1}
    lengths.clip_s = 4.0
    assert await more_work(kept_walk, asking("Ada")) == {"diarizations": 1}


@pytest.mark.parametrize(
    "options",
    [
        replace(ALL, language="fr"),
        replace(ALL, task="translate", words=False),
        replace(ALL, prompt="so"),
        replace(ALL, hotwords="so"),
        replace(ALL, temperature=0.2),
        Options(),
    ],
    ids=str,
)
async def test_what_is_said_depends_on_how_it_is_decoded(kept_walk: Walk, options: Options) -> None:
    await kept_walk.transcribe(ALL)
    done = await more_work(kept_walk, options)
    assert done.pop("windows") == 2
    assert done.keys() <= {"alignments"}  # of words in another language
    assert await more_work(kept_walk, options) == {}


async def test_other_audio_is_other_work(kept_walk: Walk) -> None:
    await kept_walk.transcribe(ALL)
    kept_walk.decoder.seconds["speech.mp3"] = 60.5
    assert set(await more_work(kept_walk)) == {*work(kept_walk)}


async def test_another_precision_is_another_model(kept_walk: Walk, keep: SqliteKeep) -> None:
    await kept_walk.transcribe(ALL)
    kept_walk.cache = Cache(keep, NETWORKS, "float16")
    assert await more_work(kept_walk) == {"windows": 2, "languages": 1}


async def test_other_networks_are_other_work(kept_walk: Walk, keep: SqliteKeep) -> None:
    await kept_walk.transcribe(ALL)
    kept_walk.cache = Cache(keep, replace(NETWORKS, speech="another"), "float32")
    assert await more_work(kept_walk) == {"searched_s": 60}
    kept_walk.cache = Cache(keep, replace(NETWORKS, speakers="another"), "float32")
    assert await more_work(kept_walk) == {"diarizations": 1}


async def test_a_model_whose_files_have_changed_is_another_once_it_is_loaded_again(
    tmp_path: Path,
) -> None:
    (weights := tmp_path / "weights.npz").write_bytes(b"1")
    loaded: list[str] = []
    cache = Cache(loaded=lambda: loaded)
    model = ModelFolder("base", tmp_path)
    first = await cache.weights(model)
    loaded.append("base")
    weights.write_bytes(b"23")
    assert await cache.weights(model) == first  # what is in memory is still the old one
    loaded.clear()
    assert await cache.weights(model) != first


async def test_where_nothing_is_kept_nothing_is_looked_at(walk: Walk) -> None:
    await walk.transcribe(ALL)
    assert set(await more_work(walk)) == {*work(walk)}
    assert walk.cache._weights == {}  # nobody asked which model it is


async def test_what_a_job_needs_is_kept_where_nothing_else_is(walk: Walk) -> None:
    with memory_journal() as journal:
        async with open_sqlite_keep(journal, 0) as keep:
            walk.cache = Cache(keep, NETWORKS)
            await walk.transcribe(ALL, job="job")
            assert await more_work(walk, job="job") == {}
            assert set(await more_work(walk)) == {*work(walk)}  # no job's
            await keep.release("job")
            await evicted(keep)
            assert set(await more_work(walk, job="later")) == {*work(walk)}


async def test_what_cannot_be_read_is_worked_on_again_and_replaced(
    kept_walk: Walk, keep: SqliteKeep
) -> None:
    first = await kept_walk.transcribe(ALL)
    await keep.flush()
    await spoil(keep)
    assert set(await more_work(kept_walk)) == {*work(kept_walk)}
    assert await more_work(kept_walk) == {}
    assert await kept_walk.transcribe(ALL) == first


async def spoil(keep: SqliteKeep) -> None:
    """Have every entry cut off."""

    def cut(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE stage_entries SET value = substr(value, 1, 20)")

    await keep._journal.run(cut)


async def test_no_error_is_kept(kept_walk: Walk) -> None:
    kept_walk.diarizer.faults.append(SpeakersUnavailable("not now"))
    kept_walk.aligner.faults.append(AlignmentUnavailable("not now"))
    first = await kept_walk.transcribe(ALL)
    assert len(first.warnings) == 2
    second = await kept_walk.transcribe(ALL)
    assert second.warnings == ()
    assert second.segments[0].words[0].score == 1.0


async def test_a_failed_request_leaves_what_was_done_before_it_failed(kept_walk: Walk) -> None:
    kept_walk.script.says = says_or_fails(fails_at="30")
    with pytest.raises(NotEnoughMemory):
        await kept_walk.transcribe(ALL)
    kept_walk.script.says = said
    assert (await more_work(kept_walk))["windows"] == 1


def says_or_fails(*, fails_at: str) -> Callable[[Row], Hypothesis]:
    def says(row: Row) -> Hypothesis:
        if f"{row.window.start_s:g}" == fails_at:
            raise NotEnoughMemory
        return said(row)

    return says


async def test_what_other_networks_said_because_these_could_not_be_had_is_not_kept(
    kept_walk: Walk,
) -> None:
    fallback = replace(TWO, voice_model="fallback", warnings=("the best could not be had",))
    kept_walk.diarizer.says = fallback
    assert (await kept_walk.transcribe(ALL)).warnings == fallback.warnings
    kept_walk.diarizer.says = TWO
    assert (await kept_walk.transcribe(ALL)).warnings == ()


async def test_a_segment_that_could_not_be_aligned_is_one_the_second_time_too(
    kept_walk: Walk,
) -> None:
    kept_walk.aligner.finds = lambda segment: segment
    first = await kept_walk.transcribe(ALL)
    assert "could not place" in first.warnings[0]
    assert await more_work(kept_walk) == {}
    assert await kept_walk.transcribe(ALL) == first
