import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.diarizer import Diarizer
from asr.actors.thread import InThread
from asr.actors.workbench import run_worker
from asr.actors.worker import open_worker
from asr.pipeline.errors import SpeakersUnavailable
from asr.pipeline.speakers import Clip, Diarization, Diarize, Diarized, Turn
from tests.actors.fakes import audio
from tests.actors.workshop import Teller, never_yielding
from tests.fakes import FakeThread

TURNS = (Turn(0.0, 2.0, "SPEAKER_00"),)
RESULT = Diarization(TURNS, TURNS)
QUESTION = Diarize(audio("a", 9.5), count=1, known=(Clip("Ann", audio("ann", 3)),))


async def opened(tool: Teller[Diarized], thread: InThread, nursery: trio.Nursery) -> Diarizer:
    diarizer, intake = open_worker(Diarizer, 1)
    nursery.start_soon(run_worker, intake, lambda: tool, thread)
    await wait_all_tasks_blocked()
    return diarizer


async def test_it_tells_how_far_it_is_and_then_who_spoke(
    thread: FakeThread, nursery: trio.Nursery
) -> None:
    tool = Teller((Diarized(0.25), Diarized(0.5), Diarized(1.0, RESULT)))
    diarizer = await opened(tool, thread, nursery)
    shares: list[float] = []
    assert await diarizer.diarize(QUESTION, progress=shares.append) is RESULT
    assert shares == [0.25, 0.5, 1.0]
    assert tool.asked == [QUESTION]


async def test_there_is_room_for_two_steps_a_second_and_some(nursery: trio.Nursery) -> None:
    steps_max = 2 * 10 + 16 + 2 * 3 + 16  # of 9.5 s, and a clip of 3 s
    tool = Teller((*[Diarized(0.5)] * (steps_max - 1), Diarized(1.0, RESULT)))
    diarizer = await opened(tool, never_yielding, nursery)
    assert await diarizer.diarize(QUESTION, progress=lambda _: None) is RESULT


async def test_why_it_cannot_be_told_is_told(thread: FakeThread, nursery: trio.Nursery) -> None:
    tool = Teller[Diarized]((Diarized(0.5), SpeakersUnavailable("no weights are here")))
    diarizer = await opened(tool, thread, nursery)
    with pytest.raises(SpeakersUnavailable, match="no weights are here"):
        await diarizer.diarize(QUESTION, progress=lambda _: None)


async def test_to_come_to_no_result_is_a_failure(thread: FakeThread, nursery: trio.Nursery) -> None:
    diarizer = await opened(Teller((Diarized(1.0),)), thread, nursery)
    with pytest.raises(SpeakersUnavailable, match="no result"):
        await diarizer.diarize(QUESTION, progress=lambda _: None)


async def test_who_leaves_stops_it(
    thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    diarizer = await opened(Teller((Diarized(0.1),) * 9), thread, nursery)
    thread.hold()
    with trio.move_on_after(1):
        await diarizer.diarize(QUESTION, progress=lambda _: None)
    thread.release()
    await wait_all_tasks_blocked()
    assert thread.calls == 1
