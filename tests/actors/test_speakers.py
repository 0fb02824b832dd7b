"""Who speaks, on a request's way through the house."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.pipeline.errors import (
    AlignmentUnavailable,
    InvalidRequest,
    SpeakersUnavailable,
    UnreadableAudio,
)
from asr.pipeline.speakers import SpeakerSettings, Turn
from asr.pipeline.types import Hypothesis, KnownSpeaker, Options, Piece, Transcript, Word
from tests.actors.fake_tools import TWO
from tests.actors.fakes import said
from tests.actors.walk import Walk

DIARIZE = Options(language="en", diarize=True)
CALLER = KnownSpeaker("Anna", b"clip")
CLIP = "3.upload"  # after the samples of the file, and those of the clip

# The two change in the middle of the first window.
SOONER = replace(TWO, exclusive=(Turn(0, 15, "SPEAKER_00"), Turn(15, 60, "SPEAKER_01")))


def two_words(hypothesis: Hypothesis) -> Hypothesis:
    """A window in which one word is said in each half."""
    start_s, end_s = hypothesis.window.start_s, hypothesis.window.end_s
    half_s = (start_s + end_s) / 2
    words = (Word(" one", start_s, half_s, 1.0), Word(" two", half_s, end_s, 1.0))
    return replace(hypothesis, pieces=(Piece(start_s, end_s, " one two", (1, 2), words),))


def speakers(transcript: Transcript) -> list[str | None]:
    return [segment.speaker for segment in transcript.segments]


async def test_each_segment_has_who_speaks(walk: Walk) -> None:
    transcript = await walk.transcribe(DIARIZE)
    assert speakers(transcript) == ["SPEAKER_00", "SPEAKER_01"]
    assert transcript.diarization is TWO
    assert transcript.warnings == ()


async def test_nobody_is_asked_for_speakers_who_are_not_wanted(walk: Walk) -> None:
    transcript = await walk.transcribe()
    assert speakers(transcript) == [None, None]
    assert transcript.diarization is None
    assert walk.diarizer.asked == []


async def test_nobody_is_waited_for_who_could_only_say_who_is_silent(walk: Walk) -> None:
    walk.finder.table[60.0] = ()
    walk.diarizer_thread.hold()
    transcript = await walk.transcribe(DIARIZE)
    walk.diarizer_thread.release()
    assert (transcript.segments, transcript.diarization, transcript.warnings) == ((), None, ())


async def test_the_diarizer_hears_what_is_known_of_the_speakers(walk: Walk) -> None:
    await walk.transcribe(replace(DIARIZE, num_speakers=2, min_speakers=1, max_speakers=3))
    (asked,) = walk.diarizer.asked
    assert (asked.count, asked.fewest, asked.most) == (2, 1, 3)
    assert asked.audio.duration_s == 60.0


async def test_it_is_at_work_before_speech_is_found_and_waited_for_at_the_end(
    walk: Walk, nursery: trio.Nursery
) -> None:
    walk.diarizer_thread.hold()
    done: list[Transcript] = []

    async def ask() -> None:
        done.append(await walk.transcribe(DIARIZE))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    assert walk.looks() == [(0.0, 30.0), (30.0, 60.0)]  # all was decoded meanwhile
    assert done == []
    walk.diarizer_thread.release()
    await wait_all_tasks_blocked()
    assert speakers(await first_of(done)) == ["SPEAKER_00", "SPEAKER_01"]


async def first_of(done: list[Transcript]) -> Transcript:
    """Joining words to speakers is done in a thread."""
    while not done:
        await trio.lowlevel.checkpoint()
    return done[0]


async def test_a_diarizer_that_crashes_costs_no_transcript(walk: Walk) -> None:
    walk.diarizer.faults = [MemoryError()]
    transcript = await walk.transcribe(DIARIZE)
    assert speakers(transcript) == [None, None]
    assert transcript.diarization is None
    (warning,) = transcript.warnings
    assert warning.startswith("speakers were skipped: ")


async def test_why_speakers_cannot_be_told_apart_is_said(walk: Walk) -> None:
    walk.diarizer.faults = [SpeakersUnavailable("weights are damaged")]
    transcript = await walk.transcribe(DIARIZE)
    assert transcript.warnings == ("speakers were skipped: weights are damaged",)


async def test_a_diarizer_that_is_late_costs_no_transcript(
    walk: Walk, autojump_clock: MockClock
) -> None:
    walk.diarizer_thread.hold()
    with trio.fail_after(100):
        transcript = await walk.transcribe(DIARIZE)
    walk.diarizer_thread.release()
    assert transcript.text == "10 130"
    assert transcript.warnings == ("speakers were skipped: the diarizer was not done in time",)
    assert trio.current_time() < 100


async def test_what_the_diarizer_has_to_say_is_said(walk: Walk) -> None:
    walk.diarizer.says = replace(TWO, warnings=("nobody sounds like Anna",))
    assert (await walk.transcribe(DIARIZE)).warnings == ("nobody sounds like Anna",)


async def test_who_leaves_stops_the_diarizer(walk: Walk) -> None:
    walk.diarizer.steps = 100
    walk.diarizer_thread.hold()
    async with trio.open_nursery() as caller:
        caller.start_soon(walk.transcribe, DIARIZE)
        await wait_all_tasks_blocked()
        caller.cancel_scope.cancel()
    walk.diarizer_thread.release()
    await wait_all_tasks_blocked()
    assert walk.diarizer_thread.calls == 1
    assert walk.scratch_files() == []


async def test_progress_is_that_of_the_slower_one(walk: Walk) -> None:
    walk.diarizer.steps = 4
    await walk.transcribe(DIARIZE)
    told = [progress.done_s for progress in walk.progress]
    assert told == sorted(told)
    assert {0.0, 60.0} < set(told)
    assert told[-1] == 60.0


@pytest.mark.parametrize(
    ("settings", "options", "parts"),
    [
        (SpeakerSettings(), replace(DIARIZE, words=True), 2),  # who sees words sees it by them
        (SpeakerSettings(), DIARIZE, 3),
        (SpeakerSettings(resegment=True), replace(DIARIZE, words=True), 3),
        (SpeakerSettings(), replace(DIARIZE, words=True, resegment=True), 3),
        (SpeakerSettings(resegment=True), replace(DIARIZE, resegment=False), 2),
    ],
)
async def test_a_segment_ends_where_the_speaker_changes(
    walk: Walk, settings: SpeakerSettings, options: Options, parts: int
) -> None:
    walk.speakers = settings
    walk.diarizer.says = SOONER
    walk.aligner.faults = [AlignmentUnavailable("words are those of the script")]
    walk.script.says = lambda row: two_words(said(row))
    transcript = await walk.transcribe(options)
    assert len(transcript.segments) == parts
    assert transcript.text == "one two one two"
    assert bool(transcript.segments[0].words) == options.words


async def test_words_outside_every_turn_have_the_nearest_speaker_if_the_operator_wants(
    walk: Walk,
) -> None:
    walk.diarizer.says = replace(TWO, exclusive=(Turn(0, 1, "SPEAKER_00"),))
    assert speakers(await walk.transcribe(DIARIZE)) == ["SPEAKER_00", None]
    walk.speakers = SpeakerSettings(fill_nearest=True)
    assert speakers(await walk.transcribe(DIARIZE)) == ["SPEAKER_00", "SPEAKER_00"]


@pytest.mark.parametrize("seconds", [2.0, 10.0, 1.9, 10.1])
async def test_a_known_voice_is_given_to_the_diarizer(walk: Walk, seconds: float) -> None:
    walk.decoder.seconds[CLIP] = seconds
    await walk.transcribe(replace(DIARIZE, known_speakers=(CALLER,)))
    (clip,) = walk.diarizer.asked[0].known
    assert (clip.name, clip.audio.duration_s) == ("Anna", seconds)
    assert walk.scratch_files() == []


@pytest.mark.parametrize("seconds", [0.0, 1.5, 10.5])
async def test_a_clip_that_is_too_short_or_long_is_refused(walk: Walk, seconds: float) -> None:
    walk.decoder.seconds[CLIP] = seconds
    with pytest.raises(InvalidRequest, match=r"\[0\]: a voice's clip must be 2 to 10 s") as caught:
        await walk.transcribe(replace(DIARIZE, known_speakers=(CALLER,)))
    assert caught.value.param == "known_speaker_references"
    assert walk.scratch_files() == []
    assert walk.script.admitted == []


async def test_a_clip_that_is_no_audio_is_named(walk: Walk) -> None:
    walk.decoder.faults[CLIP] = UnreadableAudio("junk")
    with pytest.raises(InvalidRequest, match="junk") as caught:
        await walk.transcribe(replace(DIARIZE, known_speakers=(CALLER,)))
    assert caught.value.param == "known_speaker_references"
    assert walk.progress == []  # a stream has not begun, so that this has a status of its own


async def test_clips_are_not_read_unless_speakers_are_wanted(walk: Walk) -> None:
    await walk.transcribe(Options(language="en", known_speakers=(CALLER,)))
    assert len(walk.decoder.asked) == 1
