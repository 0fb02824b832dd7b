"""Files as jobs: sent one after the other, and their results brought home if that is wanted."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

import trio

from asr.pipeline.errors import AsrError, InvalidRequest
from asr.terminal.delivery import save, write_line
from asr.terminal.display import open_display
from asr.terminal.exits import DONE
from asr.terminal.job import job
from asr.terminal.jobs_client import path_of
from asr.terminal.jobs_form import Form
from asr.terminal.jobs_patience import Unreadable, in_thread
from asr.terminal.jobs_watch import Elsewhere, Followed, Follower, say_how_to_go_on, why
from asr.terminal.transcribe import announce

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.pipeline.cues import Layout
    from asr.terminal.display import Display
    from asr.terminal.job import Job
    from asr.terminal.jobs_patience import Caller
    from asr.terminal.media import Source

AGAIN = "; --again makes a new job of it"


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be done with which files, in the words of the API: ``fields`` go with each.

    ``wait``: results are brought home. ``again``: what was asked before is asked once more.
    """

    job: Job
    fields: Mapping[str, str]
    wait: bool
    again: bool

    def query(self) -> str:
        """What a result is asked for with."""
        speakers = "true" if self.job.options.diarize else "false"
        return query(self.job.format, self.job.layout, speakers=speakers)


def order(arguments: Namespace) -> Submission:
    """What a command line asks for. Raises InvalidRequest."""
    wait = arguments.wait or arguments.output is not None
    again = arguments.again and arguments.output is not None
    wanted = job(Namespace(**{**vars(arguments), "again": again}))
    if not wait and (arguments.format or not wanted.layout.plain):
        raise InvalidRequest("formats and layouts are for results: they need --wait or --output")
    options = wanted.options
    fields = {
        "model": options.model,
        "language": options.language,
        "task": options.task,
        "prompt": options.prompt,
        "audio_track": options.audio_track,
        "diarize": "true" if options.diarize else None,
        "num_speakers": options.num_speakers,
        "min_speakers": options.min_speakers,
        "max_speakers": options.max_speakers,
        "priority": arguments.priority,
        "webhook_url": arguments.webhook_url,
    }
    given = {name: str(value) for name, value in fields.items() if value is not None}
    return Submission(replace(wanted, lines=arguments.json), given, wait, arguments.again)


def query(format: str, layout: Layout, *, speakers: str) -> str:
    """A format with its layout, as ``/result`` and ``/v1/format`` call them."""
    wanted = {
        "max_line_width": layout.line_width_max,
        "max_line_count": layout.lines_max,
        "max_words_per_line": layout.line_words_max,
        "max_cue_seconds": layout.cue_s_max,
        "highlight_words": "true" if layout.highlight_words else None,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    return urlencode({"format": format, "speakers": speakers, **given})


async def submit(caller: Caller, order: Submission) -> int:
    """Send all files; with ``wait``, give out what they have become."""
    announce(order.job)
    sources = order.job.sources
    if not sources:
        return DONE
    tally = Elsewhere(len(sources), trio.current_time())
    tally.previews = order.wait and len(sources) == 1
    async with open_display(tally) as display:
        caller.say = display.say
        sender = Sender(order, Follower(caller, display, tally, as_json=False))
        try:
            await sender.all()
        finally:
            say_how_to_go_on(display, caller, tuple(sender.going_on))
    return sender.follower.code()


@dataclass(slots=True)
class Sender:
    """Sends the files of an order, and gives out ids or results in their order."""

    order: Submission
    follower: Follower
    going_on: dict[str, None] = field(default_factory=dict)  # ids, in their order
    _due: int = 0  # whose text is printed next
    _texts: dict[int, str] = field(default_factory=dict)

    @property
    def _display(self) -> Display:
        return self.follower.display

    async def all(self) -> None:
        """Every file, or none if nobody is there, or nobody who takes our key."""
        async with trio.open_nursery() as nursery:
            for number, source in enumerate(self.order.job.sources):
                going = Followed(source.path.name, trio.current_time())
                self.follower.tally.going.append(going)
                try:
                    there = await self._send(source, going)
                except AsrError as error:
                    self.follower.heed(error)
                    self._end(number, source, going, problem=error.message)
                    nobody = self.follower.refused or not self.follower.caller.reached
                    if nobody and not isinstance(error, Unreadable):
                        return
                    continue
                if self.order.wait:
                    self.going_on[str(there["id"])] = None
                    self._announce(source, there)
                    nursery.start_soon(self._bring, number, source, going, there)
                else:
                    self._tell(source, going, there)

    async def _send(self, source: Source, going: Followed) -> dict[str, Any]:
        """The job that a file has become."""
        form = Form(self.order.fields, source.path)
        try:
            key = uuid4().hex if self.order.again else await in_thread(form.fingerprint)
            going.total_s = (await trio.Path(source.path).stat()).st_size
        except OSError as error:
            raise Unreadable(error.strerror or "it cannot be read") from None

        def sent(done: int) -> None:
            going.done_s = min(done, going.total_s)

        headers = {"Idempotency-Key": key}
        return await self.follower.caller.send("/v1/jobs", form, headers, sent)

    def _tell(self, source: Source, going: Followed, there: Mapping[str, Any]) -> None:
        """Nobody waits for it: say which job it is."""
        self._announce(source, there)
        if not self.order.job.lines:
            with self._display.aside():
                sys.stdout.write(f"{there['id']}\n")
                sys.stdout.flush()
        ended = there.get("state") in ("failed", "cancelled")
        if ended:  # the same was asked for before
            self.follower.failed += 1
            said = why(str(there["state"]), there.get("error"))
            self._display.say(f"{source.path}: {said}{AGAIN}")
        self.follower.tally.end(going, failed=ended)

    def _announce(self, source: Source, there: Mapping[str, Any]) -> None:
        """Tell programs which job it is."""
        if self.order.job.lines:
            with self._display.aside():
                write_line({"file": str(source.path), "status": "submitted", "job": there})

    async def _bring(
        self, number: int, source: Source, going: Followed, there: Mapping[str, Any]
    ) -> None:
        """Follow a job, and give out its result."""
        job_id = str(there["id"])
        going.done_s = going.total_s = 0.0
        going.stage = "queued"
        problem, text = None, ""
        try:
            async with self.follower.free:
                await self.follower.follow(job_id, going)
                asked = f"{path_of(job_id)}/result?{self.order.query()}"
                text = (await self.follower.caller.ask("GET", asked)).decode(errors="replace")
        except AsrError as error:
            self.follower.heed(error)
            before = there.get("state") in ("failed", "cancelled")
            problem = f"{error.message}{AGAIN if before else ''}"
        self.going_on.pop(job_id)
        self._end(number, source, going, problem=problem, text=text, job_id=job_id)

    def _end(
        self,
        number: int,
        source: Source,
        going: Followed,
        *,
        problem: str | None,
        text: str = "",
        job_id: str | None = None,
    ) -> None:
        """A file is over, the ``number``-th: its text goes where it belongs, or a reason."""
        wanted = self.order.job
        target = wanted.target(source)
        if problem is None and target:
            problem = save(target, text if text.endswith("\n") else f"{text}\n")
        if problem is not None:
            self.follower.failed += 1
            self._display.say(f"{source.path}: {problem}")
        self.follower.tally.end(going, failed=problem is not None)
        if wanted.lines:
            with self._display.aside():
                write_line(_line(source, job_id, problem, str(target) if target else None, text))
        elif not target:
            self._print(number, "" if problem is not None else text)

    def _print(self, number: int, text: str) -> None:
        """Texts on stdout wait for those before."""
        self._texts[number] = text
        while self._due in self._texts:
            due = self._texts.pop(self._due)
            self._due += 1
            if due:
                with self._display.aside():
                    sys.stdout.write(due if due.endswith("\n") else f"{due}\n")
                    sys.stdout.flush()


def _line(
    source: Source, job_id: str | None, problem: str | None, target: str | None, text: str
) -> dict[str, Any]:
    about: dict[str, Any] = {"file": str(source.path)}
    if job_id:
        about["id"] = job_id
    if problem is not None:
        return {**about, "status": "failed", "error": problem}
    if target:
        return {**about, "status": "done", "output": target}
    try:
        result: Any = json.loads(text)
    except ValueError:
        result = text
    return {**about, "status": "done", "result": result}
