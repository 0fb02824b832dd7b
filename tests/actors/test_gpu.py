from functools import partial

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.request import Heard
from asr.actors.turns import Priority
from asr.pipeline.engine import Growing, Row
from asr.pipeline.types import Detected, Hypothesis
from tests.actors.fakes import BASE, ENGLISH, TINY, UNKNOWN, name, names, said, step, windows
from tests.actors.room import Room, at_work
from tests.fakes import FakeThread


async def test_answers_come_in_order_each_as_soon_as_it_can(room: Room) -> None:
    room.script.turns = lambda row: {0.0: 1, 30.0: 3, 60.0: 2}[row.window.start_s]

    def heard(answer: Heard) -> None:
        room.script.record.append(f"heard {name(answer[0].window)}")

    answers = await room.gpu.decode(BASE, windows("a", 3), ENGLISH, heard=heard)
    assert room.script.record == [
        "load base",
        "admit a0 a30 a60",
        "advance a0 a30 a60",
        "heard a0",
        "advance a30 a60",
        "advance a30",
        "heard a30",
        "heard a60",
    ]
    assert [name(answer.window) for answer in answers] == ["a0", "a30", "a60"]


async def test_what_was_left_of_a_window_is_heard_at_once_and_answered_with_it(room: Room) -> None:
    def says(row: Row) -> Hypothesis:
        return said(row, until_s=12.0 if row.window.start_s == 0 else None)

    heard: list[Heard] = []
    room.script.says = says
    answers = await room.gpu.decode(BASE, windows("a", 6), ENGLISH, heard=heard.append)
    assert names(room.script.admitted) == "a0 a30 a60 a90 a12 a120 a150"
    assert [name(each.window) for each in heard[0]] == ["a0", "a12"]
    assert [answer for each in heard for answer in each] == answers


async def test_text_grows_for_who_wants_to_see_it(
    room: Room, thread: FakeThread, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    seen: list[Growing] = []
    room.script.turns = lambda _: 3
    first, second = windows("a", 2)
    thread.hold()
    decode = partial(room.gpu.decode, growing=seen.append)
    nursery.start_soon(decode, BASE, (first, second), ENGLISH)
    for _ in range(3):
        await wait_all_tasks_blocked()
        mock_clock.jump(1)
        await step(thread)
    thread.release()
    assert [(each.window, each.text) for each in seen] == [(first, " word"), (first, " word word")]


async def test_no_windows_need_no_engine(room: Room) -> None:
    with trio.fail_after(0):
        assert await room.gpu.decode(BASE, (), ENGLISH) == []
    assert room.script.record == []


async def test_rows_of_later_requests_join_while_earlier_ones_run(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    room.script.turns = lambda row: 3 if name(row.window) == "a0" else 1
    thread.hold()
    await at_work(nursery, room, ("a", 2), ("b", 1))
    await step(thread)
    await at_work(nursery, room, ("c", 1))
    await step(thread)
    await step(thread)
    assert room.script.record == [
        "load base",
        "admit a0 a30",
        "advance a0 a30",
        "admit b0",
        "advance a0 b0",
        "admit c0",
        "advance a0 c0",
    ]
    assert room.heard == {"b": "b0", "a": "a0 a30", "c": "c0"}


async def test_rows_that_come_together_join_together(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    for who in "abc":
        nursery.start_soon(room.decode, who, 1)
    await wait_all_tasks_blocked()
    (admission,) = [line for line in room.script.record if line.startswith("admit")]
    assert sorted(admission.split()) == ["a0", "admit", "b0", "c0"]


async def test_a_row_that_looks_wrong_is_decoded_again_warmer_and_only_the_last_is_heard(
    room: Room,
) -> None:
    def says(row: Row) -> Hypothesis:
        doubtful = name(row.window) == "a30" and row.temperature < 0.4
        return said(row, avg_logprob=-2.0 if doubtful else -0.5)

    room.script.says = says
    await room.decode("a", 2)
    assert room.script.record == [
        "load base",
        "admit a0 a30",
        "advance a0 a30",
        "admit a30@0.2",
        "advance a30@0.2",
        "admit a30@0.4",
        "advance a30@0.4",
    ]


async def test_the_rows_of_a_caller_who_leaves_are_dropped_at_the_next_turn_and_no_others(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    room.script.turns = lambda _: 3
    thread.hold()
    async with trio.open_nursery() as caller:
        await at_work(caller, room, ("a", 6))
        await at_work(nursery, room, ("b", 1))
        await step(thread)
        caller.cancel_scope.cancel()
    assert room.script.record[2:] == ["advance a0 a30 a60 a90"]
    thread.release()
    await wait_all_tasks_blocked()
    assert room.script.record == [
        "load base",
        "admit a0 a30 a60 a90",
        "advance a0 a30 a60 a90",
        "advance a0 a30 a60 a90",  # was under way
        "drop a0 a30 a60 a90",
        "admit b0",
        "advance b0",
        "advance b0",
        "advance b0",
    ]
    assert room.heard == {"b": "b0"}


async def test_a_caller_who_leaves_while_it_waits_costs_no_forward_pass(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, room, ("a", 1))
    async with trio.open_nursery() as caller:
        await at_work(caller, room, ("b", 8))
        caller.start_soon(room.detect, "c")
        await wait_all_tasks_blocked()
        caller.cancel_scope.cancel()
    thread.release()
    await wait_all_tasks_blocked()
    assert room.script.record == ["load base", "admit a0", "advance a0"]
    assert room.gpu.board.waiting == 0


async def test_a_language_is_detected_before_what_waits_to_be_decoded(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, room, ("a", 5))
    nursery.start_soon(room.detect, "b")
    await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    assert room.script.record == [
        "load base",
        "admit a0 a30 a60 a90",
        "advance a0 a30 a60 a90",
        "detect b0",
        "admit a120",
        "advance a120",
    ]
    assert room.heard["b"] == "de"


async def test_languages_that_are_asked_together_are_detected_together_model_by_model(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, room, ("a", 1))
    for who, model in (("b", BASE), ("c", TINY), ("d", BASE)):
        nursery.start_soon(room.detect, who, model)
        await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    assert room.script.record[-3:] == ["detect b0 d0", "load tiny", "detect c0"]
    assert room.heard == {"a": "a0", "b": "de", "c": "de", "d": "de"}


async def test_detect_tells_how_sure_the_model_is(room: Room) -> None:
    assert await room.gpu.detect(BASE, windows("a", 1)[0]) == Detected("de", 0.9)


async def test_what_the_model_cannot_do_is_told_to_who_asked_and_to_no_other(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, room, ("a", 1))
    nursery.start_soon(room.decode, "b", 2, BASE, UNKNOWN)
    await wait_all_tasks_blocked()
    await at_work(nursery, room, ("c", 1))
    thread.release()
    await wait_all_tasks_blocked()
    assert room.heard == {"a": "a0", "b": "InvalidRequest", "c": "c0"}
    assert room.script.made == 1
    assert room.script.record[-2:] == ["admit c0", "advance c0"]


async def test_a_batch_of_files_waits_for_who_sits_and_waits(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, room, ("a", 4))
    nursery.start_soon(partial(room.decode, "files", 4, priority=Priority.BATCH))
    await wait_all_tasks_blocked()
    await at_work(nursery, room, ("b", 3))
    thread.release()
    await wait_all_tasks_blocked()
    assert room.script.record[3] == "admit b0 b30 b60 files0"


async def test_too_much_mail_is_refused_at_once(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, room, ("first", 1))
    for number in range(300):
        nursery.start_soon(room.decode, f"{number}x", 1)
    await wait_all_tasks_blocked()
    assert list(room.heard.values()) == ["Busy"] * 44  # 256 fit in
    thread.release()
    await wait_all_tasks_blocked()
    assert len(room.heard) == 301
