"""When words are spoken, on a request's way through the house."""

from dataclasses import replace

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.alignment import ATTENTION, DOWNLOAD_PATIENCE_S
from asr.pipeline.errors import AlignmentUnavailable
from asr.pipeline.types import Hypothesis, Options, Transcript, Word
from tests.actors.fakes import said
from tests.actors.walk import Walk

WORDS = Options(language="en", words=True)


def with_word(hypothesis: Hypothesis) -> Hypothesis:
    """As the model says it, with one word that is not sure of itself."""
    (piece,) = hypothesis.pieces
    word = Word(piece.text, piece.start_s, piece.end_s, 0.5)
    return replace(hypothesis, pieces=(replace(piece, words=(word,)),))


def scores(transcript: Transcript) -> list[float | None]:
    return [word.score for segment in transcript.segments for word in segment.words]


async def test_words_are_those_that_the_aligner_finds(walk: Walk) -> None:
    walk.script.says = lambda row: with_word(said(row))
    transcript = await walk.transcribe(WORDS)
    assert scores(transcript) == [1.0, 1.0]
    assert transcript.warnings == ()


async def test_nobody_is_asked_for_words_that_are_not_shown(walk: Walk) -> None:
    await walk.transcribe(Options(language="en", diarize=True))
    assert walk.aligner.asked == []


async def test_the_aligner_hears_the_language_and_every_segment_once(walk: Walk) -> None:
    walk.script.speaks = "de"
    transcript = await walk.transcribe(Options(words=True))
    assert {asked.language for asked in walk.aligner.asked} == {"de"}
    asked = [segment.start_s for asked in walk.aligner.asked for segment in asked.segments]
    assert asked == [segment.start_s for segment in transcript.segments]


async def test_a_window_is_aligned_while_the_next_is_decoded(
    walk: Walk, nursery: trio.Nursery
) -> None:
    walk.script.turns = lambda row: 1 if row.window.start_s == 0 else 1000
    nursery.start_soon(walk.transcribe, WORDS)
    while not walk.aligner.asked:
        await trio.lowlevel.checkpoint()
    assert len(walk.script.admitted) == 2
    assert walk.progress[-1].done_s == 30.0


async def test_what_waits_is_aligned_together(walk: Walk, nursery: trio.Nursery) -> None:
    walk.decoder.seconds["speech.mp3"] = 120.0
    walk.script.turns = lambda row: 1 + round(row.window.start_s)  # one after the other
    walk.aligner_thread.hold()
    nursery.start_soon(walk.transcribe, WORDS)
    await wait_all_tasks_blocked()
    walk.aligner_thread.release()
    await wait_all_tasks_blocked()
    assert [len(asked.segments) for asked in walk.aligner.asked] == [1, 3]


async def test_a_translation_has_the_words_of_the_models_attention(walk: Walk) -> None:
    walk.script.says = lambda row: with_word(said(row))
    transcript = await walk.transcribe(replace(WORDS, task="translate"))
    assert scores(transcript) == [0.5, 0.5]
    assert walk.aligner.asked == []
    assert transcript.warnings == (f"{ATTENTION}: a translation is not in the audio",)


async def test_an_aligner_that_is_late_costs_no_transcript(
    walk: Walk, autojump_clock: MockClock
) -> None:
    walk.script.says = lambda row: with_word(said(row))
    walk.aligner_thread.hold()
    with trio.fail_after(100):
        transcript = await walk.transcribe(WORDS)
    walk.aligner_thread.release()
    assert scores(transcript) == [0.5, 0.5]
    assert transcript.warnings == (f"{ATTENTION}: the aligner was not done in time",)


async def test_who_leaves_while_words_are_found_has_no_transcript(
    walk: Walk, nursery: trio.Nursery
) -> None:
    walk.aligner_thread.hold()
    left: list[Transcript] = []

    async def ask() -> None:
        left.append(await walk.transcribe(WORDS))

    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        await wait_all_tasks_blocked()
        asking.cancel_scope.cancel()
    walk.aligner_thread.release()
    assert left == []


async def test_why_words_could_not_be_aligned_is_said_once(walk: Walk) -> None:
    walk.script.says = lambda row: with_word(said(row))
    walk.aligner.faults = [AlignmentUnavailable("no network for it")] * 2
    transcript = await walk.transcribe(WORDS)
    assert scores(transcript) == [0.5, 0.5]
    assert transcript.warnings == (f"{ATTENTION}: no network for it",)


async def test_what_the_aligner_needs_for_a_language_is_fetched_first(
    walk: Walk, nursery: trio.Nursery
) -> None:
    walk.letters.hold()
    nursery.start_soon(walk.transcribe, WORDS)
    await wait_all_tasks_blocked()
    assert walk.letters.asked == ["en"]
    assert walk.aligner.asked == []
    assert len(walk.script.admitted) == 2  # all was decoded meanwhile
    walk.letters.release()
    await wait_all_tasks_blocked()
    assert len(walk.aligner.asked) == 1


async def test_nobody_waits_for_a_long_download(walk: Walk, autojump_clock: MockClock) -> None:
    walk.letters.hold()
    came_s = trio.current_time()
    transcript = await walk.transcribe(WORDS)
    assert trio.current_time() - came_s == DOWNLOAD_PATIENCE_S
    assert transcript.warnings == (
        f"{ATTENTION}: the alignment model for 'en' is still being fetched",
    )
    assert walk.aligner.asked == []


async def test_why_a_network_could_not_be_fetched_is_said_once(walk: Walk) -> None:
    walk.letters.faults = [AlignmentUnavailable("the hub is down")] * 2
    transcript = await walk.transcribe(WORDS)
    assert transcript.warnings == (f"{ATTENTION}: the hub is down",)


async def test_where_the_aligner_is_turned_off_that_is_said(walk: Walk) -> None:
    walk.aligns = False
    walk.script.says = lambda row: with_word(said(row))
    transcript = await walk.transcribe(WORDS)
    assert scores(transcript) == [0.5, 0.5]
    assert transcript.warnings == (f"{ATTENTION}: the aligner is turned off here",)
    assert (await walk.transcribe()).warnings == ()


async def test_an_aligner_that_crashes_costs_no_transcript(walk: Walk) -> None:
    walk.script.says = lambda row: with_word(said(row))
    walk.aligner.faults = [MemoryError()]
    transcript = await walk.transcribe(WORDS)
    assert scores(transcript)[0] == 0.5
    (warning,) = transcript.warnings
    assert warning.startswith(ATTENTION)


async def test_segments_that_could_not_be_aligned_are_counted(walk: Walk) -> None:
    walk.aligner.finds = lambda segment: segment
    transcript = await walk.transcribe(WORDS)
    (warning,) = transcript.warnings
    assert warning == f"{ATTENTION} in 2 segments, whose words the aligner could not place"


async def test_who_leaves_stops_the_aligner(walk: Walk) -> None:
    walk.aligner_thread.hold()
    async with trio.open_nursery() as caller:
        caller.start_soon(walk.transcribe, WORDS)
        await wait_all_tasks_blocked()
        caller.cancel_scope.cancel()
    walk.aligner_thread.release()
    await wait_all_tasks_blocked()
    assert walk.aligner_thread.calls == 1
