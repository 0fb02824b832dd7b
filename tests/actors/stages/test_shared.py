"""The same question at the same time is worked on once."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.stages.shared import Shared
from asr.pipeline.errors import AsrError, Busy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr.actors.stages.shared import Told


class Worker:
    """Answers questions one by one, each when it is let; says which it was given."""

    def __init__(self) -> None:
        self.record: list[str] = []
        self.errors: list[Exception] = []
        self._more, self._let = trio.open_memory_channel[None](100)

    async def __call__(
        self, who: str, keys: Sequence[str], places: Sequence[int], told: Told[str], /
    ) -> None:
        self.record.append(f"{who} works on {''.join(keys[place] for place in places)}")
        try:
            for place in places:
                await self._let.receive()
                if self.errors:
                    raise self.errors.pop(0)
                told(place, keys[place].upper())
        except trio.Cancelled:
            self.record.append(f"{who} stops")
            raise

    async def let(self, count: int = 1) -> None:
        """So many answers are found."""
        for _ in range(count):
            self._more.send_nowait(None)
            await wait_all_tasks_blocked()


class Hall:
    """Callers with questions, one letter each, and what each has heard."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.shared = Shared()
        self.worker = Worker()
        self.heard: dict[str, str] = {}
        self.scopes: dict[str, trio.CancelScope] = {}
        self._nursery = nursery

    async def come(self, who: str, keys: str, *, rank: int = 0) -> None:
        self._nursery.start_soon(partial(self._ask, who, keys, rank=rank))
        await wait_all_tasks_blocked()

    async def leave(self, who: str) -> None:
        self.scopes[who].cancel()
        await wait_all_tasks_blocked()

    async def _ask(self, who: str, keys: str, *, rank: int) -> None:
        self.heard[who] = ""

        def told(place: int, answer: str, /) -> None:
            assert answer == keys[place].upper()
            self.heard[who] += answer

        try:
            with trio.CancelScope() as self.scopes[who]:
                await self.shared.ask(keys, partial(self.worker, who, keys), told, rank=rank)
                self.heard[who] += "."
        except Exception as error:
            self.heard[who] += f" {type(error).__name__}"


@pytest.fixture
def hall(nursery: trio.Nursery) -> Hall:
    return Hall(nursery)


async def test_who_comes_first_works_and_all_hear_the_answers(hall: Hall) -> None:
    for who in ("one", "two", "three"):
        await hall.come(who, "abc")
    await hall.worker.let(3)
    assert hall.heard == {"one": "ABC.", "two": "ABC.", "three": "ABC."}
    assert hall.worker.record == ["one works on abc"]
    assert len(hall.shared) == 0


async def test_each_works_on_what_nobody_works_on(hall: Hall) -> None:
    await hall.come("one", "abc")
    await hall.come("two", "bcde")
    assert hall.worker.record == ["one works on abc", "two works on de"]
    await hall.worker.let(5)
    assert hall.heard["one"] == "ABC."
    assert sorted(hall.heard["two"]) == sorted("BCDE.")


async def test_a_question_is_worked_on_again_after_it_was_answered(hall: Hall) -> None:
    await hall.come("one", "a")
    await hall.worker.let()
    await hall.come("two", "a")
    assert hall.worker.record == ["one works on a", "two works on a"]


async def test_the_same_question_twice_is_worked_on_once(hall: Hall) -> None:
    await hall.come("one", "aba")
    await hall.worker.let(2)
    assert (hall.worker.record, sorted(hall.heard["one"])) == (["one works on ab"], list(".AAB"))


async def test_when_who_leads_leaves_who_follows_leads_on(hall: Hall) -> None:
    for who in ("one", "two", "three"):
        await hall.come(who, "abc")
    await hall.worker.let()
    await hall.leave("one")
    assert hall.worker.record[:2] == ["one works on abc", "one stops"]
    assert hall.worker.record[2:] in (["two works on bc"], ["three works on bc"])
    await hall.worker.let(2)
    assert hall.heard == {"one": "A", "two": "ABC.", "three": "ABC."}
    assert len(hall.shared) == 0


async def test_what_came_for_a_follower_of_two_is_not_lost_when_one_leaves(hall: Hall) -> None:
    await hall.come("one", "a")
    await hall.come("two", "b")
    await hall.come("three", "ab")
    await hall.worker.let(1)  # the first of them waits for the first letter
    await hall.leave("two")
    assert hall.worker.record[-1] == "three works on b"
    await hall.worker.let()
    assert hall.heard["three"] == "AB."


async def test_who_follows_may_leave(hall: Hall) -> None:
    await hall.come("one", "ab")
    await hall.come("two", "ab")
    await hall.leave("two")
    await hall.worker.let(2)
    assert hall.heard == {"one": "AB.", "two": ""}


async def test_who_goes_first_anyway_takes_the_lead(hall: Hall) -> None:
    await hall.come("later", "abc", rank=1)
    await hall.come("as late", "abc", rank=1)
    await hall.worker.let()
    await hall.come("soon", "bc", rank=0)
    assert sorted(hall.worker.record[1:]) == ["later stops", "soon works on bc"]
    await hall.worker.let(2)
    assert hall.heard == {"later": "ABC.", "as late": "ABC.", "soon": "BC."}
    assert len(hall.worker.record) == 3


async def test_who_lost_the_lead_of_some_goes_on_with_the_rest(hall: Hall) -> None:
    await hall.come("later", "abc", rank=1)
    await hall.come("soon", "b", rank=0)
    said = ["later stops", "later works on ac", "soon works on b"]
    assert sorted(hall.worker.record[1:]) == said
    await hall.worker.let(3)
    assert sorted(hall.heard["later"]) == list(".ABC")


async def test_when_who_took_the_lead_leaves_it_goes_back(hall: Hall) -> None:
    await hall.come("later", "ab", rank=1)
    await hall.come("soon", "ab", rank=0)
    await hall.leave("soon")
    assert hall.worker.record[-1] == "later works on ab"
    await hall.worker.let(2)
    assert hall.heard == {"later": "AB.", "soon": ""}


async def test_who_goes_later_follows_who_goes_first(hall: Hall) -> None:
    await hall.come("soon", "a", rank=0)
    await hall.come("later", "a", rank=1)
    assert hall.worker.record == ["soon works on a"]


async def test_an_error_is_everybodys_answer_and_is_forgotten(hall: Hall) -> None:
    await hall.come("one", "ab")
    await hall.come("two", "ab")
    await hall.come("three", "b")
    hall.worker.errors.append(Busy("full", retry_after_s=1))
    await hall.worker.let()
    assert hall.heard == {"one": " Busy", "two": " Busy", "three": " Busy"}
    await hall.come("four", "ab")
    await hall.worker.let(2)
    assert hall.heard["four"] == "AB."


async def test_each_raises_an_error_of_its_own(hall: Hall) -> None:
    raised: list[AsrError] = []

    async def ask() -> None:
        try:
            await hall.shared.ask("a", partial(hall.worker, "x", "a"), lambda *_: None)
        except AsrError as error:
            raised.append(error)

    async with trio.open_nursery() as callers:
        callers.start_soon(ask)
        callers.start_soon(ask)
        await wait_all_tasks_blocked()
        hall.worker.errors.append(Busy("full", retry_after_s=1))
        await hall.worker.let()
    assert raised[0] is not raised[1]
    assert {(type(error), str(error)) for error in raised} == {(Busy, "full")}


async def test_a_bug_of_the_one_who_leads_is_nobody_elses_answer(hall: Hall) -> None:
    await hall.come("one", "a")
    await hall.come("two", "a")
    hall.worker.errors.append(ZeroDivisionError())
    await hall.worker.let(2)
    assert hall.heard == {"one": " ZeroDivisionError", "two": "A."}


async def test_who_follows_hears_how_far_it_is_until_it_leaves() -> None:
    shared, heard = Shared(), list[float]()
    worker = Worker()

    async def ask() -> None:
        await shared.ask("a", partial(worker, "x", "a"), lambda *_: None, progress=heard.append)

    async with trio.open_nursery() as callers:
        callers.start_soon(ask)
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as followers:
            followers.start_soon(ask)
            await wait_all_tasks_blocked()
            shared.tell("a", 0.5)
            followers.cancel_scope.cancel()
        shared.tell("a", 0.75)
        callers.cancel_scope.cancel()
    assert heard == [0.5]


async def test_whoever_comes_and_goes_everybody_who_stays_is_answered(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Forty callers, of two ranks, who leave or stay; each answer is found in a second."""
    chance = random.Random(8)
    shared = Shared()
    answered: dict[int, list[str]] = {}
    stayed: dict[int, str] = {}

    async def work(keys: str, places: Sequence[int], told: Told[str], /) -> None:
        for place in places:
            await trio.sleep_until(trio.current_time() + 1)
            told(place, keys[place].upper())

    async def call(who: int, keys: str, *, rank: int, patience_s: float) -> None:
        answered[who] = []
        with trio.move_on_after(patience_s):
            await shared.ask(
                keys,
                partial(work, keys),
                lambda place, answer: answered[who].append(f"{keys[place]}{answer}"),
                rank=rank,
            )
            stayed[who] = keys

    async with trio.open_nursery() as callers:
        for who in range(40):
            keys = "".join(sorted(chance.sample("abcdefgh", chance.randint(1, 8))))
            caller = partial(call, rank=chance.randint(0, 1), patience_s=chance.choice([2.5, 1000]))
            callers.start_soon(caller, who, keys)
            with trio.move_on_after(chance.random() * 2):
                await trio.sleep_forever()
    assert len(stayed) > 20
    for who, keys in stayed.items():
        assert sorted(answered[who]) == [f"{key}{key.upper()}" for key in keys]
    assert len(shared) == 0
