from collections.abc import Callable
from dataclasses import replace

import pytest

from asr.actors.trail import Trail, begin
from asr.pipeline.engine import Row
from asr.pipeline.errors import InvalidRequest, SpeakersUnavailable, StorageFull
from asr.pipeline.types import (
    TEMPERATURES,
    Decoding,
    Hypothesis,
    Options,
    Segment,
    Span,
    Transcript,
)
from tests.actors.fakes import said
from tests.actors.walk import Walk


def segment(start_s: float, end_s: float, text: str, *, window_start_s: float) -> Segment:
    """As the fake engine says it."""
    return Segment(
        start_s,
        end_s,
        text,
        (1, 2),
        window_start_s=window_start_s,
        temperature=0.0,
        avg_logprob=-0.1,
        no_speech_prob=0.0,
        compression_ratio=1.0,
    )


def until(ends: dict[float, float]) -> Callable[[Row], Hypothesis]:
    """What is heard of a window ends, by its start, before its end."""

    def says(row: Row) -> Hypothesis:
        return said(row, text="so", until_s=ends.get(row.window.start_s, row.window.end_s))

    return says


async def test_a_file_becomes_a_transcript(walk: Walk) -> None:
    walk.script.says = lambda row: said(row, text={0.0: "One.", 30.0: "Two."}[row.window.start_s])
    assert await walk.transcribe() == Transcript(
        language="en",
        task="transcribe",
        duration_s=60.0,
        segments=(
            segment(0.0, 30.0, " One.", window_start_s=0.0),
            segment(30.0, 60.0, " Two.", window_start_s=30.0),
        ),
    )
    assert walk.scratch_files() == []


async def test_the_decoder_hears_what_kind_of_file_it_is(walk: Walk) -> None:
    await walk.transcribe(raw=True)
    await walk.transcribe()
    assert walk.decoder.asked == [("speech.mp3", True), ("speech.mp3", False)]


async def test_only_speech_is_decoded(walk: Walk) -> None:
    walk.finder.table[60.0] = (Span(3.0, 8.0), Span(50.0, 55.5))
    await walk.transcribe()
    assert walk.looks() == [(3.0, 8.0), (50.0, 55.5)]


async def test_the_language_is_that_of_the_first_speech(walk: Walk) -> None:
    walk.script.speaks = "fr"
    transcript = await walk.transcribe(Options())
    assert transcript.language == "fr"
    assert [row.decoding for row in walk.script.admitted] == [Decoding("fr"), Decoding("fr")]
    assert [line for line in walk.script.record if "detect" in line] == ["detect 10"]


async def test_a_language_that_was_given_is_not_detected(walk: Walk) -> None:
    transcript = await walk.transcribe(Options(language="pt", task="translate"))
    assert (transcript.language, transcript.task) == ("pt", "translate")
    assert {row.decoding for row in walk.script.admitted} == {Decoding("pt", "translate")}
    assert not any("detect" in line for line in walk.script.record)


@pytest.mark.parametrize(("asked", "answered"), [(None, "en"), ("fr", "fr")])
async def test_silence_is_an_empty_transcript_and_no_work_for_the_model(
    walk: Walk, asked: str | None, answered: str
) -> None:
    walk.finder.table[60.0] = ()
    transcript = await walk.transcribe(Options(language=asked))
    assert transcript == Transcript(answered, "transcribe", 60.0, ())
    assert walk.script.record == []


async def test_what_the_model_left_of_a_window_is_heard_again_until_nothing_is_left(
    walk: Walk,
) -> None:
    walk.script.says = until({0.0: 12.0, 12.0: 25.0})
    transcript = await walk.transcribe()
    assert walk.looks() == [(0.0, 30.0), (30.0, 60.0), (12.0, 30.0), (25.0, 30.0)]
    assert transcript.segments == (
        segment(0.0, 12.0, " so", window_start_s=0.0),
        segment(12.0, 25.0, " so", window_start_s=12.0),
        segment(25.0, 30.0, " so", window_start_s=25.0),
        segment(30.0, 60.0, " so", window_start_s=30.0),
    )


@pytest.mark.parametrize(("moves_s", "looks"), [(0.0, 59), (0.75, 40), (20.0, 2)])
async def test_each_look_moves_on_by_half_a_second(walk: Walk, moves_s: float, looks: int) -> None:
    walk.decoder.seconds["speech.mp3"] = 30.0
    walk.script.says = lambda row: said(
        row, until_s=min(row.window.start_s + moves_s, row.window.end_s)
    )
    await walk.transcribe()
    assert len(walk.looks()) == looks  # 30 s in steps of 0.75 s are 40, of 0.5 s one less than 60


async def test_progress_is_where_the_last_window_that_was_heard_ends(walk: Walk) -> None:
    walk.decoder.seconds["speech.mp3"] = 100.0
    walk.finder.table[100.0] = (Span(0.0, 30.0), Span(60.0, 80.0))  # half of it is speech
    walk.script.says = until({0.0: 10.0})
    await walk.transcribe()
    told = [(progress.done_s, progress.total_s) for progress in walk.progress]
    assert told == [(0, 100), (30, 100), (80, 100), (100, 100)]


async def test_segments_are_told_as_they_become_known(walk: Walk) -> None:
    walk.decoder.seconds["speech.mp3"] = 75.0
    transcript = await walk.transcribe()
    told = [[segment.text for segment in progress.segments] for progress in walk.progress]
    assert told == [[], [" 10"], [" 130"], [" 160"], []]  # the scratch file, and a start
    assert sum((progress.segments for progress in walk.progress), ()) == transcript.segments


@pytest.mark.parametrize(
    "says",
    [
        said,
        until({0.0: 12.0, 12.0: 25.0, 30.0: 59.8}),  # the last 0.2 s are not worth a look
        until({0.0: 0.0}),  # the model does not move on
        lambda row: said(row, until_s=row.window.start_s + 1, no_speech_prob=0.9, avg_logprob=-2.0),
        lambda row: said(row, until_s=row.window.start_s + 7, compression_ratio=3.0),
    ],
    ids=["all heard", "heard again", "stuck", "silence", "never believed"],
)
async def test_progress_never_goes_back_and_ends_at_the_total(
    walk: Walk, says: Callable[[Row], Hypothesis]
) -> None:
    walk.script.says = says
    await walk.transcribe()
    done_s = [progress.done_s for progress in walk.progress]
    assert done_s == sorted(done_s)
    assert done_s[-1] == pytest.approx(60.0)
    assert {progress.total_s for progress in walk.progress} == {60.0}


@pytest.mark.parametrize(
    ("options", "prompt"),
    [
        (Options(language="en"), None),
        (Options(language="en", prompt="Dear all,"), "Dear all,"),
        (Options(language="en", hotwords="Quart, trio"), "Glossary: Quart, trio."),
        (
            Options(language="en", prompt="Dear all,", hotwords="trio"),
            "Glossary: trio. Dear all,",
        ),
    ],
    ids=["neither", "prompt", "hotwords", "both"],
)
async def test_hotwords_go_in_front_of_the_prompt(
    walk: Walk, options: Options, prompt: str | None
) -> None:
    await walk.transcribe(options)
    assert {row.decoding for row in walk.script.admitted} == {Decoding("en", prompt=prompt)}


@pytest.mark.parametrize(
    ("asked", "ladder"),
    [
        (None, TEMPERATURES),
        (0.0, TEMPERATURES),
        (0.5, (0.5, 0.6, 0.8, 1.0)),
        (0.8, (0.8, 1.0)),
        (1.0, (1.0,)),
    ],
)
async def test_the_temperature_asked_for_is_the_coldest(
    walk: Walk, asked: float | None, ladder: tuple[float, ...]
) -> None:
    await walk.transcribe(Options(language="en", temperature=asked))
    tried = {(row.decoding.temperatures, row.temperature) for row in walk.script.admitted}
    assert tried == {(ladder, ladder[0])}


@pytest.mark.parametrize(
    ("options", "decoding"),
    [
        (Options(words=True), Decoding("en", words=True)),
        (Options(logprobs=True), Decoding("en", spelled=True)),
        # Who speaks is said of words, and segments are cut between tokens.
        (Options(diarize=True), Decoding("en", words=True, spelled=True)),
    ],
)
async def test_words_and_spelling_are_asked_of_the_model_where_they_are_needed(
    walk: Walk, options: Options, decoding: Decoding
) -> None:
    await walk.transcribe(replace(options, language="en"))
    assert {row.decoding for row in walk.script.admitted} == {decoding}


async def test_the_transcript_says_what_was_not_done_as_asked(walk: Walk) -> None:
    asked = Options(language="en", words=True, task="translate", diarize=True, hotwords="trio")
    walk.diarizer.faults = [SpeakersUnavailable("no weights")]
    walk.script.says = lambda row: replace(said(row), prompt_cut=row.window.start_s == 0)
    assert (await walk.transcribe(asked)).warnings == (
        "word times come from Whisper's own attention: a translation is not in the audio",
        "speakers were skipped: no weights",
        "hotwords were put in front of the prompt: Whisper has no other way to favour words",
        "only the end of hotwords and prompt was used: Whisper has room for 223 tokens of them",
    )


async def test_what_fails_on_the_way_leaves_no_samples_behind(walk: Walk) -> None:
    with pytest.raises(InvalidRequest):
        await walk.transcribe(Options(language="xx"))
    assert walk.scratch_files() == []


async def test_a_disk_that_fills_up_ends_the_decoding(walk: Walk) -> None:
    walk.free_bytes = [1_000_000, 999]
    with pytest.raises(StorageFull):
        await walk.transcribe()
    assert walk.decoder.asked == [("speech.mp3", False)]
    assert (walk.scratch_files(), walk.script.record) == ([], [])


async def test_what_was_done_is_counted(walk: Walk) -> None:
    trail = Trail("a")
    with begin(trail):
        await walk.transcribe()
    assert walk.room.number("whisperx_audio_duration_seconds_sum") == 60
    assert walk.room.number("whisperx_audio_size_megabytes_sum") == 0.25
    assert [*trail.stages] == ["read", "model", "vad", "decode", "join"]
    assert trail.facts.items() >= {"model": "base", "language": "en", "audio_s": 60}.items()


async def test_words_and_speakers_are_stages_beside_the_others(walk: Walk) -> None:
    trail = Trail("a")
    with begin(trail):
        await walk.transcribe(Options(language="en", words=True, diarize=True))
    assert {"align", "diarize"} <= trail.stages.keys()
    assert all(stage.whole for stage in trail.stages.values())
