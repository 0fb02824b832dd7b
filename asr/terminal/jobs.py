"""Jobs of a running server: sent, listed, followed, fetched, ended, over its API."""

from __future__ import annotations

import sys
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import trio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asr.actors.jobs.queue import ENDED
from asr.http.settings import KEY
from asr.pipeline.cues import Layout
from asr.pipeline.errors import AsrError, InvalidRequest
from asr.terminal.delivery import save, write_line
from asr.terminal.exits import DONE, FAILED, UNAVAILABLE, USAGE, complain
from asr.terminal.jobs_client import Client, Refused, Unreachable, path_of
from asr.terminal.jobs_patience import KEY_REFUSED, LATER, Caller
from asr.terminal.jobs_submit import order, query, submit
from asr.terminal.jobs_watch import number, watch, why
from asr.terminal.logs import ONE_LINE
from asr.terminal.reach import own_address
from asr.terminal.signals import interruptible
from asr.terminal.tally import clock

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable, Mapping

    from asr.settings import Settings

PAGE = 100
PIPE_COLUMNS = 200  # what reads a pipe wants whole rows
WRONG = (400, *KEY_REFUSED, 422)  # what the person said is wrong, or not enough
WITHOUT = ("failed", "cancelled")  # their results are not worth waiting for


def jobs(arguments: Namespace, settings: Settings) -> int:
    """Do what was asked; the exit code."""
    caller = Caller(client(arguments, settings), complain)
    caller.named = arguments.url is not None
    action = ACTIONS[arguments.action]
    return trio.run(partial(interruptible, partial(_told, partial(action, caller, arguments))))


def client(arguments: Namespace, settings: Settings) -> Client:
    """The server that is meant. Raises InvalidRequest.

    Our own keys are for our own server: another one is not shown them.
    """
    key = arguments.key
    if arguments.key_file:
        key = _first_line(arguments)
    if key is not None and not KEY.fullmatch(key):
        raise InvalidRequest("a key is 1 to 512 visible ASCII characters")
    if arguments.url:
        return Client(arguments.url.rstrip("/"), key)
    http = settings.http
    own = http.keys()
    return Client(f"http://{own_address(http.host, http.port)}", key or (own[0] if own else None))


def _first_line(arguments: Namespace) -> str:
    try:
        return str(arguments.key_file.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        raise InvalidRequest(f"--key-file: {arguments.key_file} holds no key") from None


async def _told(work: Callable[[], Awaitable[int]]) -> int:
    """The work's exit code; what the server refuses is said, and has one, too."""
    try:
        return await work()
    except InvalidRequest:
        raise
    except Unreachable as error:
        complain(error.message)
        return UNAVAILABLE
    except Refused as error:
        complain(error.message)
        if error.status in WRONG:
            return USAGE
        return UNAVAILABLE if error.status in LATER else FAILED
    except AsrError as error:
        complain(error.message)
        return FAILED


async def _submit(caller: Caller, arguments: Namespace) -> int:
    return await submit(caller, order(arguments))


async def _watch(caller: Caller, arguments: Namespace) -> int:
    return await watch(caller, arguments.ids, as_json=arguments.json)


async def _list(caller: Caller, arguments: Namespace) -> int:
    """Jobs, the newest first, as many as are wanted."""
    found: list[dict[str, Any]] = []
    more = True
    while more and len(found) < arguments.limit:
        asked = {"limit": min(PAGE, arguments.limit - len(found))}
        asked |= {"after": found[-1]["id"]} if found else {}
        asked |= {"state": arguments.state} if arguments.state else {}
        page = await caller.json("GET", f"/v1/jobs?{urlencode(asked)}")
        found += page.get("data", [])
        more = bool(page.get("has_more") and page.get("data"))
    if arguments.json:
        for each in found:
            write_line(each)
    elif found:
        _print(table(found))
    else:
        complain("there are no jobs")
    return DONE


async def _show(caller: Caller, arguments: Namespace) -> int:
    """All that is known of jobs."""
    for job_id in arguments.ids:
        about = await caller.json("GET", path_of(job_id))
        if arguments.json:
            write_line(about)
        else:
            _print(facts(about))
    return DONE


async def _result(caller: Caller, arguments: Namespace) -> int:
    """What a job has brought; why, if that is nothing."""
    about = await caller.json("GET", path_of(arguments.id))
    if about.get("state") in WITHOUT:
        complain(f"{arguments.id}: {why(str(about['state']), about.get('error'))}")
        return FAILED
    layout = Layout(
        line_width_max=arguments.max_line_width,
        lines_max=arguments.max_line_count,
        line_words_max=arguments.max_words_per_line,
        highlight_words=arguments.highlight_words,
        cue_s_max=arguments.max_cue_seconds,
    )
    speakers = "false" if arguments.no_speakers else "true"
    asked = query(arguments.format, layout, speakers=speakers)
    text = (await caller.ask("GET", f"{path_of(arguments.id)}/result?{asked}")).decode()
    text = text if text.endswith("\n") else f"{text}\n"
    if arguments.output:
        if problem := save(arguments.output, text):
            complain(problem)
            return FAILED
    else:
        sys.stdout.write(text)
        sys.stdout.flush()
    return DONE


async def _cancel(caller: Caller, arguments: Namespace) -> int:
    """End jobs; what has ended is left as it is, with its result."""
    code = DONE
    for job_id in arguments.ids:
        # An older server knows no ``only``: it would delete what has ended.
        said = await caller.json("GET", path_of(job_id))
        over = said.get("state") in ENDED
        if not over:
            said = await caller.json("DELETE", f"{path_of(job_id)}?only=cancel")
            over = said.get("state") in ("done", "failed")  # meanwhile
        if over:
            complain(f"{job_id}: it has ended before: {said['state']}")
            code = FAILED
        elif arguments.json:
            write_line(said)
    return code


async def _delete(caller: Caller, arguments: Namespace) -> int:
    """Delete jobs, and all there is of them; those that are at work are cancelled first."""
    for job_id in arguments.ids:
        about = await caller.json("GET", path_of(job_id))
        if about.get("state") not in ENDED:
            await caller.json("DELETE", path_of(job_id), again=False)
        said = await caller.json("DELETE", path_of(job_id), again=False)
        if arguments.json:
            write_line(said)
    return DONE


ACTIONS: Mapping[str, Callable[[Caller, Namespace], Awaitable[int]]] = {
    "submit": _submit,
    "list": _list,
    "show": _show,
    "watch": _watch,
    "result": _result,
    "cancel": _cancel,
    "delete": _delete,
}


def table(found: list[dict[str, Any]]) -> Table:
    """One row a job."""
    rows = Table(box=None)
    for title in ("id", "state", "file", "audio", "model", "sent"):
        rows.add_column(title, overflow="fold")
    for each in found:
        audio_s = number(each.get("audio_s"))
        cells = (
            each.get("id"),
            state(each),
            each.get("file_name"),
            clock(audio_s) if audio_s else "",
            each.get("model"),
            moment(each.get("created_at")),
        )
        rows.add_row(*(Text(str(cell or "").translate(ONE_LINE)) for cell in cells))
    return rows


def state(job: Mapping[str, Any]) -> str:
    """How a job stands, in a few words."""
    name = str(job.get("state"))
    audio_s, done_s, left_s = (number(job.get(key)) for key in ("audio_s", "done_s", "left_s"))
    if name == "queued" and job.get("place"):
        return f"queued, place {job['place']}"
    if name == "running" and audio_s:
        soon = f", {clock(left_s)} left" if left_s is not None else ""
        return f"running, {min(1.0, (done_s or 0.0) / audio_s):.0%}{soon}"
    return f"failed: {why(name, job.get('error'))}" if name == "failed" else name


def facts(job: Mapping[str, Any]) -> Table:
    """All that a server says of a job, a line each."""
    rows = Table(box=None, show_header=False)
    rows.add_column(style="bold")
    rows.add_column(overflow="fold")
    for name, value in job.items():
        if value in (None, "", [], {}) or name == "object":
            continue
        shown = str(value)
        if name.endswith("_at"):
            shown = moment(value)
        elif isinstance(value, dict):
            shown = ", ".join(f"{key} {each}" for key, each in value.items() if each is not None)
        elif isinstance(value, list):
            shown = "; ".join(map(str, value))
        rows.add_row(name, Text(shown.translate(ONE_LINE)))
    return rows


def moment(unix_s: Any) -> str:
    """When that was, by this machine's clock."""
    known = number(unix_s)
    if known is None:
        return ""
    return datetime.fromtimestamp(known).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print(rows: Table) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    console.print(rows)
