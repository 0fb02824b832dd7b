"""The events of a job, as they are told and as they come: numbered, so that they can be resumed.

Who listens holds no place of the queue: when the house closes the stream ends between two events,
and goes on from there at the next server that is asked.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio
from quart import Response

from asr.actors.jobs.queue import ENDED
from asr.http.body import bounded
from asr.http.errors import openai_error, our_bug, request_id_of
from asr.http.job_object import ending
from asr.http.streams import EVENT_STREAM, HEADERS, KEEP_ALIVE_S, comment, named
from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from quart.wrappers import Request

    from asr.actors.jobs.queue import Event, Standing
    from asr.actors.jobs.register import Register
    from asr.http.body import BoundedRequest

AGAIN_MS = 3000  # after which a browser comes back to a stream that has ended too early


@dataclass(frozen=True, slots=True)
class Listening:
    """Who listens to which job: ``after`` is the number of the last event that it knows."""

    jobs: Register
    job_id: str
    client: str | None
    after: int

    async def standing(self) -> Standing:
        """How the job stands. Raises UnknownJob."""
        return await self.jobs.standing(self.job_id, client=self.client)


async def stream(request: Request, listening: Listening) -> Response:
    """An answer made of events.

    Who knows all of a job that has ended hears 204: browsers come back to every stream but that.
    So they do to one that ends with the server before it has said anything. Raises UnknownJob.
    """
    standing = await listening.standing()
    if request.method == "HEAD":  # else it would be as long as the job
        return Response("", content_type=EVENT_STREAM, headers=HEADERS)
    sender, receiver = trio.open_memory_channel[str](0)
    feed = Feed(listening, sender, place=standing.place)
    bounded(request).nursery.start_soon(feed.all, bounded(request), request_id_of(request))
    first = ""
    if standing.state in ENDED:
        try:
            first = await receiver.receive()
        except trio.EndOfChannel:
            if not bounded(request).door.closed:
                return Response("", status=204)
    events = written(feed, receiver, first)
    return Response(events, content_type=EVENT_STREAM, headers=HEADERS)


class Feed:
    """Takes events from the queue at the pace of who listens."""

    def __init__(
        self, listening: Listening, sender: trio.MemorySendChannel[str], *, place: int | None
    ) -> None:
        self._listening = listening
        self._sender = sender
        self._place = place
        self.waits = True  # the job has not been seen at work

    async def all(self, request: BoundedRequest, request_id: str) -> None:
        """Tell all there is to tell, to the job's end or the house's, and what goes wrong."""
        async with self._sender:
            with request.door.watching():
                try:
                    await self._tell()
                except trio.BrokenResourceError:
                    pass  # nobody listens any more
                except Exception as error:  # for the client: raised here it would only cut it off
                    await self._sender.send(named("error", {"error": wrong(error, request_id)}))

    async def _tell(self) -> None:
        listening = self._listening
        heard = await listening.jobs.events(
            listening.job_id, client=listening.client, after=listening.after
        )
        async with heard as events:
            async for event in events:
                self.waits = self.waits and event.kind == "queued"
                await self._sender.send(numbered(event, await self._data(event)))

    async def _data(self, event: Event) -> dict[str, Any]:
        if event.kind in ENDED:
            return ending(await self._listening.standing())
        return dict(event.data)

    async def place(self) -> str:
        """Where a job stands that waits, if that is news: without a number, as it is no event."""
        if not self.waits:
            return ""
        place = None
        # Where it cannot be told, its events say so, or it passes; nobody is left without a word.
        with trio.move_on_after(KEEP_ALIVE_S), suppress(AsrError):
            place = (await self._listening.standing()).place
        if place in (None, self._place):
            return ""
        self._place = place
        return named("progress", {"state": "queued", "place": place})


async def written(
    feed: Feed, events: trio.MemoryReceiveChannel[str], first: str
) -> AsyncIterator[str]:
    """What goes over the wire."""
    yield f"retry: {AGAIN_MS}\n\n{first}"
    while True:
        event = ""
        with trio.move_on_after(KEEP_ALIVE_S):
            try:
                event = await events.receive()
            except trio.EndOfChannel:
                return
        yield event or await feed.place() or comment("still there")


def wrong(error: Exception, request_id: str) -> dict[str, Any]:
    """What is wrong with a stream."""
    return openai_error(error) if isinstance(error, AsrError) else our_bug(error, request_id)


def numbered(event: Event, data: dict[str, Any]) -> str:
    """An event with the number by which a client says that it has heard it."""
    return f"id: {event.number}\n{named(event.kind, data)}"
