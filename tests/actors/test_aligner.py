import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.aligner import Aligner
from asr.actors.thread import InThread
from asr.actors.workbench import run_worker
from asr.actors.worker import open_worker
from asr.pipeline.errors import AlignmentUnavailable
from asr.pipeline.speakers import Align
from asr.pipeline.types import Segment
from tests.actors.fakes import audio
from tests.actors.workshop import Teller, never_yielding
from tests.fakes import FakeThread

Step = tuple[Segment, ...]

UNKNOWN = AlignmentUnavailable("no alignment model for 'xx' is known")


def segment(start_s: float) -> Segment:
    return Segment(start_s, start_s + 1, " a", (1,), 0.0, 0.0, -0.1, 0.0, 1.0)


ONE, TWO, THREE = segment(0), segment(1), segment(2)
QUESTION = Align(audio("a", 3), (ONE, TWO, THREE), "en")


async def opened(tool: Teller[Step], thread: InThread, nursery: trio.Nursery) -> Aligner:
    aligner, intake = open_worker(Aligner, 1)
    nursery.start_soon(run_worker, intake, lambda: tool, thread)
    await wait_all_tasks_blocked()
    return aligner


async def test_the_segments_of_all_steps_are_one_answer(
    thread: FakeThread, nursery: trio.Nursery
) -> None:
    tool = Teller[Step](((ONE,), (), (TWO, THREE)))
    aligner = await opened(tool, thread, nursery)
    assert await aligner.align(QUESTION) == (ONE, TWO, THREE)
    assert tool.asked == [QUESTION]


async def test_a_language_that_is_not_known_is_told_with_the_reason(
    thread: FakeThread, nursery: trio.Nursery
) -> None:
    aligner = await opened(Teller[Step]((UNKNOWN,)), thread, nursery)
    with pytest.raises(AlignmentUnavailable, match="'xx'"):
        await aligner.align(QUESTION)


@pytest.mark.parametrize("tells", [(), ((ONE, TWO),), ((ONE, TWO), (TWO, THREE))])
async def test_it_never_costs_or_doubles_a_segment(
    thread: FakeThread, nursery: trio.Nursery, tells: tuple[Step, ...]
) -> None:
    aligner = await opened(Teller[Step](tells), thread, nursery)
    with pytest.raises(AlignmentUnavailable, match="lost segments"):
        await aligner.align(QUESTION)


async def test_there_is_room_for_two_steps_a_segment_and_some(nursery: trio.Nursery) -> None:
    steps_max = 2 * 3 + 16
    steps: list[Step] = [()] * (steps_max - 1)
    aligner = await opened(Teller[Step]((*steps, QUESTION.segments)), never_yielding, nursery)
    assert await aligner.align(QUESTION) == QUESTION.segments
