"""Those who do the jobs of a floor: each takes one, has it done, and writes down how it ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.jobs.local import ledger
from asr.actors.jobs.local.journal import UNWRITTEN
from asr.actors.jobs.local.ledger import Outcome
from asr.actors.jobs.queue import Poison, Run
from asr.pipeline.errors import AsrError
from asr.pipeline.records import dump_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from asr.actors.jobs.local.floor import Floor
    from asr.actors.jobs.local.live import Live
    from asr.actors.jobs.queue import Handler, Leisure

log = logging.getLogger(__name__)

# For how long nothing is tried again that the disk has refused.
REFUSED_S = 5.0

# So many events that could not be written yet are more than any disk is slow for.
UNWRITTEN_MAX = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Hands:
    """What those who work share.

    ``told`` is called when a job has told something that is to be written, ``noticed`` when there
    is a new notice.
    """

    floor: Floor
    clock: Callable[[], float]
    told: Callable[[Live], None]
    noticed: Callable[[], None]

    async def work(
        self,
        handler: Handler,
        *,
        slots: int,
        lanes: Collection[str] | None,
        leisure: Leisure,
        task_status: trio.TaskStatus[None],
    ) -> None:
        """Do jobs, so many at a time, until cancelled, or until the handler crashes."""

        def suits(live: Live) -> bool:
            return lanes is None or not live.job.lane or live.job.lane in lanes

        self.floor.slots += slots
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(slots):
                    nursery.start_soon(self._serve, handler, suits, leisure)
                task_status.started()
        finally:
            self.floor.slots -= slots

    async def end(self, live: Live, outcome: Outcome) -> bool:
        """Write down how a job ended, and all that it has told; False if it had ended already.

        Cancelled, it has not ended. Raises what UNWRITTEN has.
        """
        async with live.book.turn:
            if live.over:
                return False
            now_s = self.clock()
            due = (*live.due(last=True), outcome.event)
            await live.book.journal.run(
                partial(
                    ledger.end,
                    row=live.row,
                    after=live.number,
                    told=due,
                    outcome=outcome,
                    now_s=now_s,
                )
            )
            self.floor.end(live)
            live.announce()
        if live.job.webhook is not None:
            self.noticed()
        return True

    async def _serve(
        self, handler: Handler, suits: Callable[[Live], bool], leisure: Leisure
    ) -> None:
        while True:
            live = await self.floor.take(suits, leisure)
            try:
                await self._run(live, handler)
            except UNWRITTEN as error:
                log.warning("job %s waits: %s", live.job.id, error.message)
                await trio.sleep(REFUSED_S)

    async def _run(self, live: Live, handler: Handler) -> None:
        """Have a job done, or put it back. Raises what UNWRITTEN has, or the handler's crash."""
        began_s, tries = trio.current_time(), live.tries
        live.scope = trio.CancelScope()
        try:
            with live.scope:
                if run := await self._begin(live):
                    await self._finish(live, await _outcome(handler, run))
                    self.floor.service_time.record(trio.current_time() - began_s)
        except Poison as poison:
            await self._finish(live, _failed(poison))
        except UNWRITTEN:
            raise
        except Exception:
            tries += 1
            raise
        finally:
            with trio.CancelScope(shield=True):
                await self._put_back(live, tries=tries)

    async def _begin(self, live: Live) -> Run | None:
        """Write down that a try begins; None if the job is over. Raises Poison."""
        async with live.book.turn:
            if live.over:
                return None
            tries = live.tries + 1
            begin = partial(ledger.begin, row=live.row, tries=tries, now_s=self.clock())
            work, told = await live.book.journal.run(begin)
            live.tries = tries
        return Run(replace(live.job, work=work), tries, told, partial(self._tell, live, live.scope))

    def _tell(
        self, live: Live, scope: trio.CancelScope, kind: str, data: Mapping[str, Any]
    ) -> None:
        if live.over or live.scope is not scope:
            return  # nobody is interested in what this run says
        live.tell(kind, data)
        self.floor.doubt.told(live, kind)
        self.told(live)
        if live.backlog > UNWRITTEN_MAX:
            scope.cancel()

    async def _finish(self, live: Live, outcome: Outcome) -> None:
        """Write down how a job ended; as long as the disk is full, nothing else is begun here."""
        while True:
            try:
                with trio.CancelScope(shield=True):
                    await self.end(live, outcome)
                return
            except UNWRITTEN as error:
                log.warning("the end of job %s is not written yet: %s", live.job.id, error.message)
            await trio.sleep(REFUSED_S)

    async def _put_back(self, live: Live, *, tries: int) -> None:
        """Have a job wait where it stood, unless it is over."""
        if live.over:
            return
        async with live.book.turn:
            if live.over:
                return
            due = live.due(last=True)
            try:
                await live.book.journal.run(
                    partial(
                        ledger.hand_back, row=live.row, after=live.number, told=due, tries=tries
                    )
                )
                live.written(due)
            except UNWRITTEN as error:  # after a restart it will have lost a try
                log.warning("job %s goes back unwritten: %s", live.job.id, error.message)
                live.forget_told()
            live.tries = tries
            live.scope = trio.CancelScope()  # what the run still tells is nobody's now
            self.floor.enter(live, first=True)


async def _outcome(handler: Handler, run: Run) -> Outcome:
    try:
        return Outcome("done", result=await handler(run))
    except AsrError as error:
        return _failed(error)


def _failed(error: AsrError) -> Outcome:
    return Outcome("failed", failure=dump_error(error))
