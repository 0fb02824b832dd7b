"""Asking a server that is busy, restarts, or is behind a bad line: again, but not for ever."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from asr.actors.jobs.queue import ENDED
from asr.pipeline.errors import AsrError
from asr.terminal.jobs_client import Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr.terminal.jobs_client import Client, JobEvent
    from asr.terminal.jobs_form import Form

T = TypeVar("T")

PATIENCE_S = 900.0  # a restart takes seconds, a full queue may take a while
PAUSE_MAX_S = 60.0
LATER = (429, 503)  # refusals that pass, if the server says when
KEY_REFUSED = (401, 403)  # refusals of whatever else is asked with the same key


class Unreadable(AsrError):
    """A file of ours cannot be sent."""


@dataclass(slots=True)
class Caller:
    """Asks a server; ``say`` tells a person why that takes long.

    A server that never answered is not waited for: it may not be there at all.
    """

    client: Client
    say: Callable[[str], None]
    named: bool = False  # its address was given on the command line
    patience_s: float = PATIENCE_S
    reached: bool = False

    async def ask(self, method: str, path: str, *, again: bool = True) -> bytes:
        """The body of an answer. Raises Refused, Unreachable."""
        return await self._patiently(partial(self.client.ask, method, path), again=again)

    async def json(self, method: str, path: str, *, again: bool = True) -> dict[str, Any]:
        """An answer that is an object."""
        return read(await self.ask(method, path, again=again))

    async def send(
        self, path: str, form: Form, headers: Mapping[str, str], sent: Callable[[int], None]
    ) -> dict[str, Any]:
        """Send a form, from the beginning if it must be. Raises Unreadable, too."""
        try:
            body = await self._patiently(partial(self.client.send, path, form, headers, sent))
        except OSError as error:
            raise Unreadable(error.strerror or "it cannot be read") from None
        return read(body)

    async def follow(self, job_id: str, hear: Callable[[JobEvent], None]) -> JobEvent:
        """Hear every event of a job once, in order, from the first to the last, which is returned.

        Raises Refused, also when the job is deleted meanwhile.
        """
        seen, pause_s = 0, 0.0
        while True:
            stream = await self._patiently(partial(self.client.listen, job_id, seen))
            try:
                while (news := await in_thread(stream.next)) is not None:
                    if 0 < news.number <= seen:
                        continue
                    seen, pause_s = news.number or seen, 0.0
                    hear(news)
                    if news.kind in ENDED:
                        return news
            finally:
                stream.close()
            await trio.sleep(pause_s)
            pause_s = longer(pause_s)

    async def _patiently(self, call: Callable[[], T], *, again: bool = True) -> T:
        until_s = trio.current_time() + self.patience_s
        pause_s, told = 0.0, ""
        while True:
            try:
                answer = await in_thread(call)
            except Refused as error:
                self.reached = True
                if error.status not in LATER or error.retry_after_s is None:
                    raise
                failure: AsrError = error
                wait_s = min(max(error.retry_after_s, pause_s), PAUSE_MAX_S)
            except Unreachable as error:
                if not (self.reached and again):
                    raise
                failure, wait_s = error, pause_s
            else:
                self.reached = True
                return answer
            if trio.current_time() + wait_s > until_s:
                raise failure
            if failure.message != told:
                told = failure.message
                self.say(f"{told}; trying again")
            await trio.sleep(wait_s)
            pause_s = longer(pause_s)


def longer(pause_s: float) -> float:
    """The next pause: at first there is none."""
    return min(max(1.0, 2 * pause_s), PAUSE_MAX_S)


async def in_thread(call: Callable[[], T]) -> T:
    """What a call comes to; who leaves does not wait for it."""
    return await trio.to_thread.run_sync(call, abandon_on_cancel=True)


def read(body: bytes) -> dict[str, Any]:
    """An object. Raises Unreachable for anything else: that is not a server of ours."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Unreachable("the answer is not one of this program's server")
    return said
