"""Jobs at a server, followed to their ends: a bar each, or lines for programs."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from asr.pipeline.errors import AsrError
from asr.terminal.delivery import write_line
from asr.terminal.display import open_display
from asr.terminal.exits import DONE, FAILED, UNAVAILABLE, USAGE
from asr.terminal.jobs_client import Refused, path_of
from asr.terminal.jobs_patience import KEY_REFUSED
from asr.terminal.tally import TAIL_SEGMENTS, Going, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr.terminal.display import Display
    from asr.terminal.jobs_client import JobEvent
    from asr.terminal.jobs_patience import Caller

FOLLOWED_MAX = 16  # at once, each over a connection of its own; the others' events wait


class JobEnded(AsrError):
    """A job ended without a result; the message says why."""


@dataclass(slots=True, eq=False)
class Followed(Going):
    """A job on its way, as its server tells of it; bytes are counted while it is being sent."""

    stage: str = "sending"
    told_left_s: float | None = None

    @property
    def state(self) -> str:
        return self.stage

    def speed(self, now_s: float) -> float | None:
        """Nothing: part of it may have been done before anybody looked."""
        return None

    def left_s(self, now_s: float) -> float | None:
        """How long the rest may take, by the server's word."""
        return self.told_left_s

    def hear(self, news: JobEvent) -> None:
        """Something has happened to it."""
        data = news.data
        if news.kind == "queued":
            self._stand("queued", data)
        elif news.kind == "started":
            self._stand("running", data)
        elif news.kind == "progress":
            state = str(data.get("state", "running"))
            self._stand("finishing" if state == "finished" else state, data)

    def _stand(self, state: str, data: Any) -> None:
        self.done_s = number(data.get("done_s")) or 0.0
        self.total_s = number(data.get("audio_s")) or 0.0
        self.told_left_s = number(data.get("left_s"))
        place = data.get("place")
        self.stage = f"queued, place {place}" if state == "queued" and place else state


@dataclass(slots=True)
class Elsewhere(Tally):
    """Jobs at a server, which loads its models itself."""

    loading: bool = False

    def speed(self, now_s: float) -> float | None:
        """Nothing: others' jobs are done there, too."""
        return None

    def hear(self, going: Followed, news: JobEvent) -> None:
        """Something has happened to a job."""
        going.hear(news)
        if news.kind == "segment" and self.previews:
            text = str(news.data.get("text", "")).strip()
            self.tail = (*self.tail, text)[-TAIL_SEGMENTS:]


@dataclass(slots=True)
class Follower:
    """Follows jobs, and tells programs (``as_json``) or people what becomes of them.

    ``refused``: the server does not take our key, so nothing more is asked of it.
    """

    caller: Caller
    display: Display
    tally: Elsewhere
    as_json: bool
    failed: int = 0
    refused: bool = False
    free: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(FOLLOWED_MAX))

    async def watch(self, job_id: str) -> None:
        """One job, from what it has done already to its end."""
        going = Followed(job_id, trio.current_time())
        problem = None
        try:
            async with self.free:
                if self.refused:
                    return
                about = await self.caller.json("GET", path_of(job_id))
                going.name = str(about.get("file_name") or job_id)
                going.stage = str(about.get("state"))
                self.tally.going.append(going)
                await self.follow(job_id, going)
        except AsrError as error:
            problem = error.message
            self.failed += 1
            self.heed(error)
        if going in self.tally.going:
            self.tally.end(going, failed=problem is not None)
        done = f"done; its text: {command(self.caller, 'result', job_id)}"
        self.display.say(f"{going.name}: {problem or done}")

    def heed(self, error: AsrError) -> None:
        """What one job heard may be meant for all of them."""
        if isinstance(error, Refused) and error.status in KEY_REFUSED:
            self.refused = True

    def code(self) -> int:
        """The exit code for all that was asked."""
        if self.refused:
            return USAGE
        if not self.caller.reached:
            return UNAVAILABLE
        return FAILED if self.failed else DONE

    async def follow(self, job_id: str, going: Followed) -> None:
        """Return when the job is done. Raises JobEnded, Refused, Unreachable."""

        def hear(news: JobEvent) -> None:
            self.tally.hear(going, news)
            if self.as_json:
                about = {"id": job_id, "number": news.number, "event": news.kind}
                with self.display.aside():
                    write_line({**about, "data": news.data})

        last = await self.caller.follow(job_id, hear)
        if last.kind != "done":
            raise JobEnded(why(last.kind, last.data.get("error")))


async def watch(caller: Caller, ids: Sequence[str], *, as_json: bool) -> int:
    """Follow jobs until all of them have ended."""
    tally = Elsewhere(len(ids), trio.current_time(), previews=len(ids) == 1)
    async with open_display(tally) as display:
        caller.say = display.say
        follower = Follower(caller, display, tally, as_json)
        try:
            async with trio.open_nursery() as nursery:
                for job_id in ids:
                    nursery.start_soon(follower.watch, job_id)
        finally:
            say_how_to_go_on(display, caller, ids)
    return follower.code()


def say_how_to_go_on(display: Display, caller: Caller, ids: Sequence[str]) -> None:
    """If a person wants to see no more of jobs that go on without them."""
    if trio.current_effective_deadline() == -math.inf and ids:
        say = partial(command, caller, job_id=" ".join(ids))
        display.say(
            f"the server goes on; to see it again: {say('watch')}; to end it: {say('cancel')}"
        )


def command(caller: Caller, action: str, job_id: str) -> str:
    """What a person would type."""
    server = f" --url {shlex.quote(caller.client.url)}" if caller.named else ""
    return f"asr-service jobs {action} {job_id}{server}"


def why(state: str, error: Any) -> str:
    """Why a job has no result."""
    if state == "cancelled":
        return "it was cancelled"
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or "it failed")


def number(value: Any) -> float | None:
    """A number, if that is one."""
    return float(value) if isinstance(value, int | float) else None
